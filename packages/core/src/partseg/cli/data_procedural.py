"""`partseg data families | preview | sample`: look at the embedded procedural shapes, or write one to a file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from partseg.cli.arguments import not_negative, positive
from partseg.errors import InputError

if TYPE_CHECKING:
    from partseg.data.procedural import ProceduralShape
    from partseg.geometry.shape import Shape

_LEVELS = ("coarse", "middle", "fine")
_PREVIEW = """\
examples:
  partseg data preview -o preview.png                        one shape of each family
  partseg data preview --family chair --count 24 --level fine
  partseg data preview --mixed --count 48                    what training sees
  partseg data preview psb --root D                          a data set on disk; `partseg data preview psb --help`
"""
_SAMPLE = """\
examples:
  partseg data sample chair.glb --family chair --index 3     one shape, to try `partseg segment` on
  partseg data sample parts.glb --family chair --index 3 --level fine      the same with its true parts
"""


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
        from partseg.data.procedural.endless import ProceduralShapes

        training = ProceduralShapes("train", count, seed=seed)
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


def families_command(argv: list[str]) -> int:
    """`partseg data families`."""
    from partseg.data.procedural import family_names

    _parser("families", "List the families of the embedded shapes.").parse_args(argv)
    print("\n".join(family_names()))
    return 0


def preview_command(argv: list[str]) -> int:
    """`partseg data preview [procedural]`."""
    parser = _parser("preview", "A contact sheet of procedural shapes, coloured by their true parts.", _PREVIEW)
    parser.add_argument("-o", "--output", type=Path, default=Path("preview.png"), help="picture (default: preview.png)")
    parser.add_argument("--family", nargs="+", help="only these families")
    parser.add_argument("--count", type=positive, help="number of shapes (default: one a family)")
    parser.add_argument("--columns", type=positive, default=8, help="shapes in a row (default: 8)")
    parser.add_argument("--fused", action="store_true", help="each as one connected surface")
    parser.add_argument("--mixed", action="store_true", help="what training sees: all kinds by their shares")
    parser.add_argument("--seed", type=not_negative, default=0, help="another seed gives other shapes (default: 0)")
    parser.add_argument("--level", choices=_LEVELS, default="middle", help="colours (default: middle)")
    arguments = parser.parse_args(argv)
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


def sample_command(argv: list[str]) -> int:
    """`partseg data sample`."""
    parser = _parser("sample", "Write one procedural shape to a file.", _SAMPLE)
    parser.add_argument("output", type=Path, help="a .glb, .ply or .npz file")
    parser.add_argument("--family", help="its family (default: drawn)")
    parser.add_argument("--seed", type=not_negative, default=0, help="(default: 0)")
    parser.add_argument(
        "--index", type=not_negative, default=0, help="number of the shape in that seed's sequence (default: 0)"
    )
    parser.add_argument("--level", choices=_LEVELS, help="write its true parts at this level")
    parser.add_argument("--fused", action="store_true", help="as one connected surface")
    arguments = parser.parse_args(argv)
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


def _parser(verb: str, description: str, epilog: str = "") -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog=f"partseg data {verb}",
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
