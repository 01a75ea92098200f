"""`partseg data`: look at the embedded procedural shapes, or write one to a file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from partseg.cli.arguments import not_negative, positive
from partseg.errors import InputError

if TYPE_CHECKING:
    from partseg.data.procedural import ProceduralShape
    from partseg.geometry.shape import Shape

_EPILOG = """\
examples:
  partseg data families                                      what there is
  partseg data preview -o preview.png                        a contact sheet of all families
  partseg data preview --family chair --count 24 --level fine
  partseg data preview --mixed --count 48                    what training sees
  partseg data sample chair.glb --family chair --index 3     one shape, to try `partseg segment` on
  partseg data sample parts.glb --family chair --index 3 --level fine      the same with its true parts
"""


def main(argv: list[str]) -> int:
    """The command."""
    arguments = _parser().parse_args(argv)
    return arguments.run(arguments)


def preview(
    path: str | Path,
    *,
    families: list[str] | None = None,
    count: int | None = None,
    seed: int = 0,
    level: str = "middle",
    columns: int = 8,
    fused: bool = False,
    mixed: bool = False,
) -> list[str]:
    """Save a contact sheet of procedural shapes, coloured by their true parts; returns the captions.

    Args:
        path: the picture to write.
        families: which families, in turn; None for all.
        count: number of shapes; None for one a family (at least four rows of one family).
        seed: another seed gives other shapes.
        level: "coarse", "middle" or "fine".
        columns: shapes in a row.
        fused: as one connected surface each.
        mixed: the first shapes of the training split instead: families, fused surfaces and organic figures by their
            default shares; `families` and `fused` do not matter.

    Raises:
        InputError: an unknown family, or the picture cannot be written.
    """
    from partseg.data.procedural import family_names, generate
    from partseg.parts.picture import contact_sheet

    names = families or family_names()
    _check_families(names)
    count = (len(names) if len(names) > 1 else 4 * columns) if count is None else count
    if mixed:
        from partseg.data.procedural.dataset import ProceduralDataset

        training = ProceduralDataset("train", count, seed=seed)
    items = []
    for i in range(count):
        made = training.shape(i) if mixed else generate(seed, i, names[i % len(names)], fused=fused)
        items.append((_shape(made), made.labels(level), f"{made.family} {seed}/{i}"))
    contact_sheet(items, columns, path)
    return [caption for _, _, caption in items]


def sample(
    path: str | Path,
    *,
    family: str | None = None,
    seed: int = 0,
    index: int = 0,
    level: str = "",
    fused: bool = False,
) -> None:
    """Write one procedural shape to a .glb, .ply or .npz file, with its true parts at a level or as one piece.

    Raises:
        InputError: an unknown family, or the file cannot be written.
    """
    import numpy as np

    from partseg.data.procedural import generate
    from partseg.parts.segmentation import Segmentation

    if family is not None:
        _check_families([family])
    made = generate(seed, index, family, fused=fused)
    shape = _shape(made)
    if level:
        Segmentation(shape, made.labels(level)).with_hierarchy(made.hierarchy).save(path)
    else:
        Segmentation(shape, np.zeros(shape.n_elements, np.int64)).save(path)


def _check_families(names: list[str]) -> None:
    from partseg.data.procedural import family_names

    if unknown := sorted(set(names) - set(family_names())):
        raise InputError(", ".join(unknown), "no such family", f"there are {', '.join(family_names())}")


def _shape(made: ProceduralShape) -> Shape:
    from partseg.geometry.shape import Shape

    return Shape.from_mesh(made.vertices, made.faces, name=made.family)


def _families(arguments: argparse.Namespace) -> int:
    from partseg.data.procedural import family_names

    print("\n".join(family_names()))
    return 0


def _preview(arguments: argparse.Namespace) -> int:
    captions = preview(
        arguments.output,
        families=arguments.family,
        count=arguments.count,
        seed=arguments.seed,
        level=arguments.level,
        columns=arguments.columns,
        fused=arguments.fused,
        mixed=arguments.mixed,
    )
    print(f"{arguments.output}: {len(captions)} shapes")
    return 0


def _sample(arguments: argparse.Namespace) -> int:
    sample(
        arguments.output,
        family=arguments.family,
        seed=arguments.seed,
        index=arguments.index,
        level=arguments.level or "",
        fused=arguments.fused,
    )
    print(arguments.output)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="partseg data",
        description="Look at the embedded procedural shapes, or write one to a file.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(required=True, metavar="{families,preview,sample}")
    families = verbs.add_parser("families", help="list the families")
    families.set_defaults(run=_families)
    sheet = verbs.add_parser("preview", help="a contact sheet")
    sheet.add_argument("-o", "--output", type=Path, default=Path("preview.png"), help="picture (default: preview.png)")
    sheet.add_argument("--family", nargs="+", help="only these families")
    sheet.add_argument("--count", type=positive, help="number of shapes (default: one a family)")
    sheet.add_argument("--columns", type=positive, default=8, help="shapes in a row (default: 8)")
    sheet.add_argument("--fused", action="store_true", help="each as one connected surface")
    sheet.add_argument("--mixed", action="store_true", help="what training sees: all kinds by their shares")
    sheet.add_argument("--seed", type=not_negative, default=0, help="another seed gives other shapes (default: 0)")
    sheet.add_argument(
        "--level", choices=("coarse", "middle", "fine"), default="middle", help="colours (default: middle)"
    )
    sheet.set_defaults(run=_preview)
    one = verbs.add_parser("sample", help="write one shape to a file")
    one.add_argument("output", type=Path, help="a .glb, .ply or .npz file")
    one.add_argument("--family", help="its family (default: drawn)")
    one.add_argument("--seed", type=not_negative, default=0, help="(default: 0)")
    one.add_argument(
        "--index", type=not_negative, default=0, help="number of the shape in that seed's sequence (default: 0)"
    )
    one.add_argument("--level", choices=("coarse", "middle", "fine"), help="write its true parts at this level")
    one.add_argument("--fused", action="store_true", help="as one connected surface")
    one.set_defaults(run=_sample)
    return parser
