"""`partseg data check`: what is there, what is missing, what is damaged, file by file."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from jsonargparse.typing import PositiveInt

from partseg.cli.data_pool import damage, default_workers, for_each, told
from partseg.cli.data_readers import chosen_reader, dataset_of, open_reader, reader_parser
from partseg.cli.progress import progress
from partseg.errors import InputError

if TYPE_CHECKING:
    from partseg.data.formats.base import PartItem, Reader
    from partseg.spec import DatasetSpec

_ABOUT = "Read every file of a dataset and list what is missing or damaged. Exit code 1 when anything is."
_EXAMPLES = """\
  partseg data check {name} --root D                 D: the folder that holds the dataset
  partseg data check {name} --root D --json          for other programs
  partseg data check {name} --root D > report.txt    the progress bar goes to the terminal, the report to the file
"""
_SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        kind: "missing" when the file is not there, else "damaged".
        shape: whose it is; empty for a problem of the dataset as a whole, such as a root that is not one.
        error: which file, what is wrong with it, how to mend it.
    """

    kind: Literal["missing", "damaged"]
    shape: str
    error: InputError


@dataclass(frozen=True)
class Findings:
    """What a check found.

    Attributes:
        root: the folder.
        counts: category -> split -> number of shapes; "" where the dataset has none.
        problems: all of them: those of the dataset as a whole, then those of its shapes in their order.
        warnings: (shape, text) of what was mended or ignored in reading; nothing is wrong with these.
    """

    root: Path
    counts: dict[str, dict[str, int]]
    problems: tuple[Problem, ...]
    warnings: tuple[tuple[str, str], ...] = ()

    @property
    def shapes(self) -> int:
        """Number of shapes."""
        return sum(sum(splits.values()) for splits in self.counts.values())

    @property
    def splits(self) -> dict[str, int]:
        """Split -> number of shapes, train first."""
        total: Counter[str] = Counter()
        for splits in self.counts.values():
            total.update(splits)
        return {split: total[split] for split in sorted(total, key=_rank)}

    @property
    def damaged_shapes(self) -> int:
        """Number of shapes with a problem."""
        return len({problem.shape for problem in self.problems if problem.shape})


def check(
    dataset: str, root: str | Path | None = None, options: dict[str, Any] | None = None, workers: int = 1
) -> Findings:
    """Read every file of a dataset.

    Args:
        dataset, root, options: see `partseg.cli.data_readers.open_reader`.
        workers: processes that read.

    Raises:
        PartsegError: no such dataset, or a module that it is read with is not installed. Bad files are no error here:
            they are what is found.
    """
    return check_reader(open_reader(dataset, root, options), workers)


def check_reader(reader: Reader, workers: int = 1) -> Findings:
    """`check` for a reader."""
    try:
        items = reader.index()
    except InputError as error:
        problems = list(reader.check()) or [error]
        return Findings(reader.root, {}, tuple(_problem(reader.root, "", one) for one in problems))
    whole = tuple(_problem(reader.root, "", error) for error in _of_the_whole(reader, items))
    found: dict[int, tuple[list[InputError], list[str]]] = {}
    results = for_each(_Check(reader, items), len(items), workers)
    with progress(len(items), "checking") as advance, closing(results):
        bad = 0
        for i, result in results:
            if result != ([], []):
                found[i] = result
            bad += bool(result[0])
            advance(f"{bad} damaged" if bad else "")
    rows = [(items[i].name, *found[i]) for i in sorted(found)]
    return Findings(
        reader.root,
        _counts(items),
        whole + tuple(_problem(reader.root, name, error) for name, errors, _ in rows for error in errors),
        tuple((name, text) for name, _, texts in rows for text in texts),
    )


def report(spec: DatasetSpec, findings: Findings) -> str:
    """The findings as text."""
    where = f"{spec.name} at {findings.root}"
    lines = [f"{where}: {_line(findings)}"] if findings.counts else [f"{where}: not readable"]
    if len(findings.counts) > 1:
        named = {category or "(none)": splits for category, splits in findings.counts.items()}
        width = max(map(len, named))
        lines += [f"  {category:<{width}}  {_per_split(splits)}" for category, splits in named.items()]
    lines += [f"warning  {shape}: {text.removeprefix(f'{shape}: ')}" for shape, text in findings.warnings]
    lines += [f"{problem.kind:<7}  {problem.error}" for problem in findings.problems]
    if not findings.problems:
        return "\n".join([*lines, "nothing is missing or damaged"])
    bad = findings.damaged_shapes
    whole = sum(not problem.shape for problem in findings.problems)
    last = f"{bad:,} of {findings.shapes:,} shapes {'is' if bad == 1 else 'are'} damaged" if bad else ""
    if whole:
        last += f"{', ' if bad else ''}{whole:,} problem{'s' * (whole > 1)} of the dataset as a whole"
    if spec.obtain:
        verb = "how to obtain it" if not bad else "obtain it again" if bad == 1 else "obtain them again"
        last += f"; {verb}: {spec.obtain}"
    return "\n".join([*lines, last])


def as_json(spec: DatasetSpec, findings: Findings) -> dict[str, Any]:
    """The findings as plain data."""
    return {
        "dataset": spec.name,
        "root": str(findings.root),
        "shapes": findings.shapes,
        "splits": findings.splits,
        "categories": findings.counts,
        "damaged_shapes": findings.damaged_shapes,
        "problems": [
            {"kind": one.kind, "shape": one.shape, "file": one.error.path, "cause": one.error.cause,
             "mend": one.error.mend}
            for one in findings.problems
        ],
        "warnings": [{"shape": shape, "text": text} for shape, text in findings.warnings],
        "obtain": spec.obtain,
    }  # fmt: skip


def main(argv: list[str]) -> int:
    """The command; returns 1 when anything is missing or damaged."""
    chosen = dataset_of("check", argv)
    if isinstance(chosen, int):
        return chosen
    spec, rest = chosen
    parser = reader_parser("check", spec, _ABOUT, _EXAMPLES)
    parser.add_argument("--workers", type=PositiveInt, default=default_workers(), help="processes that read")
    parser.add_argument("--json", action="store_true", help="print JSON for other programs")
    arguments = parser.parse_args(rest)
    findings = check_reader(chosen_reader(spec, arguments), arguments["workers"])
    print(json.dumps(as_json(spec, findings), indent=2) if arguments["json"] else report(spec, findings))
    return 1 if findings.problems else 0


@dataclass(frozen=True)
class _Check:
    reader: Reader
    items: tuple[PartItem, ...]

    def __call__(self, i: int) -> tuple[list[InputError], list[str]]:
        """What is wrong with shape i, and what was warned of."""
        errors: list[InputError] = []
        with told() as texts:
            try:
                errors.extend(self.reader.check_item(self.items[i]))
            except Exception as error:  # a file may break a reader in ways that it does not foresee
                errors.append(damage(error, self.items[i].name))
        return errors, texts


def _of_the_whole(reader: Reader, items: tuple[PartItem, ...]) -> Iterator[InputError]:
    """What the reader's `check` finds beside single shapes; those are for `_Check`, in several processes."""
    rest = copy.copy(reader)
    rest.index = lambda: items  # type: ignore[method-assign]
    rest.check_item = lambda item: iter(())  # type: ignore[method-assign]
    return rest.check()


def _problem(root: Path, shape: str, error: InputError) -> Problem:
    path = Path(error.path)
    absent = path.is_relative_to(root) and not path.exists()
    return Problem("missing" if absent else "damaged", shape, error)


def _counts(items: tuple[PartItem, ...]) -> dict[str, dict[str, int]]:
    number = Counter((item.category, item.split) for item in items)
    categories = sorted({category for category, _ in number})
    splits = sorted({split for _, split in number}, key=_rank)
    return {c: {split: number[c, split] for split in splits if number[c, split]} for c in categories}


def _rank(split: str) -> tuple[int, str]:
    return (_SPLITS.index(split) if split in _SPLITS else len(_SPLITS), split)


def _line(findings: Findings) -> str:
    named = [category for category in findings.counts if category]
    text = f"{findings.shapes:,} shape" + "s" * (findings.shapes != 1)
    if len(named) > 1:
        text = f"{len(named)} categories, {text}"
    per_split = _per_split(findings.splits)
    return f"{text} ({per_split})" if any(findings.splits) else text


def _per_split(splits: dict[str, int]) -> str:
    if not any(splits):
        return f"{sum(splits.values()):,}"
    return ", ".join(f"{n:,} {split or 'in no split'}" for split, n in splits.items())
