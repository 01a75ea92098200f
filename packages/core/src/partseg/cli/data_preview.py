"""`partseg data preview`: a contact sheet of a dataset's shapes, coloured by part at each level."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from jsonargparse.typing import PositiveInt

from partseg.cli.data_names import find_dataset
from partseg.cli.data_pool import damage, for_each, told
from partseg.cli.data_readers import chosen_reader, dataset_of, open_reader, reader_parser
from partseg.cli.progress import progress
from partseg.errors import InputError, UnknownNameError

if TYPE_CHECKING:
    import numpy as np

    from partseg.data.formats.base import PartItem, PartSample, Reader
    from partseg.geometry.shape import Shape

    Cell = tuple[Shape, np.ndarray | None, str]

_ABOUT = """\
A contact sheet of shapes coloured by part: a row a shape, every level side by side; or one level of many shapes. Levels
without instances are coloured by class."""
_EXAMPLES = """\
  partseg data preview {name} --root D                        preview.png: 24 shapes, every level
  partseg data preview {name} --root D --count 6 -o few.png
  partseg data preview {name} --root D --level L --columns 6  one level, six shapes in a row
"""


@dataclass
class Sheet:
    """What is on the sheet.

    Attributes:
        captions: of the cells, row by row.
        shapes: number of shapes.
        damaged: errors of the shapes that were left out.
    """

    captions: list[str] = field(default_factory=list)
    shapes: int = 0
    damaged: list[InputError] = field(default_factory=list)


def preview(
    path: str | Path,
    dataset: str,
    root: str | Path | None = None,
    options: dict[str, Any] | None = None,
    *,
    count: int = 24,
    level: str | None = None,
    columns: int = 8,
    up: Literal["x", "y", "z"] = "y",
) -> Sheet:
    """Save a contact sheet of a dataset on disk.

    Args:
        path: the picture to write.
        dataset, root, options: see `partseg.cli.data_readers.open_reader`.
        count: number of shapes, taken at equal steps from the whole dataset.
        level: this one only; None puts every level of a shape into its row.
        columns: shapes in a row, with a level.
        up: up axis of the shapes.

    Raises:
        InputError: the dataset or none of the shapes can be read, or the picture cannot be written.
        UnknownNameError: none of the shapes has that level.
    """
    levels = find_dataset(dataset).levels
    return preview_reader(path, open_reader(dataset, root, options), levels, count, level, columns, up)


def preview_reader(
    path: str | Path,
    reader: Reader,
    levels: Sequence[str] = (),
    count: int = 24,
    level: str | None = None,
    columns: int = 8,
    up: Literal["x", "y", "z"] = "y",
) -> Sheet:
    """`preview` for a reader. Of `levels` each has a column of its own; others follow in each shape's own order."""
    from partseg.parts.picture import contact_sheet

    items = reader.index()
    chosen = [items[i * len(items) // count] for i in range(count)] if count < len(items) else list(items)
    sheet = Sheet()
    shapes: list[tuple[PartItem, PartSample]] = []
    with progress(len(chosen), "reading") as advance:
        for i, found in for_each(_Load(reader, chosen), len(chosen), 1):
            if isinstance(found, InputError):
                sheet.damaged.append(found)
            else:
                shapes.append((chosen[i], found))
            advance(chosen[i].name)
    if not shapes:
        raise sheet.damaged[0] if sheet.damaged else InputError(reader.root, "holds no shapes")
    if level is None:
        rows = _rows(shapes, levels)
        cells, columns = [cell for row in rows for cell in row], len(rows[0])
    else:
        cells = _one_level(shapes, level)
    contact_sheet(cells, columns, path, up=up)
    sheet.shapes = len(shapes)
    sheet.captions = [caption for _, _, caption in cells]
    return sheet


def levels_of(sample: PartSample) -> dict[str, np.ndarray]:
    """Level -> (n,) number of the part, or of the class at levels that have classes only; instances first."""
    return dict(sample.labels) | {k: v for k, v in sample.semantics.items() if k not in sample.labels}


def main(argv: list[str]) -> int:
    """The command: of a dataset on disk when one is named, else of the embedded shapes."""
    if not argv or argv[0].startswith("-") or find_dataset(argv[0]).name == "procedural":
        from partseg.cli.data_procedural import preview_command

        return preview_command(argv[1:] if argv and not argv[0].startswith("-") else argv)
    spec, rest = dataset_of("preview", argv)
    parser = reader_parser("preview", spec, _ABOUT, _EXAMPLES)
    parser.add_argument("-o", "--output", type=str, default="preview.png", help="picture")
    parser.add_argument("--count", type=PositiveInt, default=24, help="number of shapes, spread over the dataset")
    parser.add_argument("--level", type=str, help="this level only, many shapes in a row")
    parser.add_argument("--columns", type=PositiveInt, default=8, help="shapes in a row, with --level")
    parser.add_argument("--up", type=Literal["x", "y", "z"], default="y", help="up axis of the shapes")
    arguments = parser.parse_args(rest)
    output, reader = arguments["output"], chosen_reader(spec, arguments)
    sheet = preview_reader(
        output, reader, spec.levels, arguments["count"], arguments["level"], arguments["columns"], arguments["up"]
    )
    for error in sheet.damaged:
        print(f"left out: {error}", file=sys.stderr)
    print(f"{output}: {sheet.shapes} shape{'s' * (sheet.shapes != 1)}")
    return 1 if sheet.damaged else 0


def _rows(shapes: Sequence[tuple[PartItem, PartSample]], declared: Sequence[str]) -> list[list[Cell]]:
    tables = [levels_of(sample) for _, sample in shapes]
    common = [name for name in declared if any(name in table for table in tables)]
    own = [[name for name in table if name not in common] for table in tables]
    width = max(1, len(common) + max(len(names) for names in own))
    rows = []
    for (item, sample), table, names in zip(shapes, tables, own, strict=True):
        row = [_cell(item, sample, table, name) for name in (*common, *names)]
        rows.append(row + [(sample.shape, None, "")] * (width - len(row)))
        if not row:
            rows[-1][0] = (sample.shape, None, f"{_short(item.name)}: no parts")
    return rows


def _one_level(shapes: Sequence[tuple[PartItem, PartSample]], level: str) -> list[Cell]:
    tables = [levels_of(sample) for _, sample in shapes]
    if not any(level in table for table in tables):
        known = dict.fromkeys(name for table in tables for name in table)
        raise UnknownNameError(f"none of these shapes has level {level!r}; there are {', '.join(known) or 'none'}")
    return [_cell(item, sample, table, level) for (item, sample), table in zip(shapes, tables, strict=True)]


def _cell(item: PartItem, sample: PartSample, table: dict[str, np.ndarray], level: str) -> Cell:
    if level not in table:
        return sample.shape, None, f"{_short(item.name)} {level}: none"
    values = table[level]
    n = len(set(values[values >= 0].tolist()))
    one, many = ("part", "parts") if level in sample.labels else ("class", "classes")
    return sample.shape, values, f"{_short(item.name)} {level}: {n} {one if n == 1 else many}"


def _short(name: str) -> str:
    """The end of a long name, which tells it from its neighbours, so that a caption keeps its number of parts."""
    return name if len(name) <= 20 else f"..{name[-18:]}"


@dataclass(frozen=True)
class _Load:
    reader: Reader
    items: Sequence[PartItem]

    def __call__(self, i: int) -> PartSample | InputError:
        with told():
            try:
                return self.reader.load(self.items[i])
            except Exception as error:  # a file may break a reader in ways that it does not foresee
                return damage(error, self.items[i].name)
