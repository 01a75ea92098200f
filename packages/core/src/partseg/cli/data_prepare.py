"""`partseg data prepare`: sample and normalise every shape of a dataset once, into the cache that training reads."""

from __future__ import annotations

import inspect
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from jsonargparse.typing import PositiveInt

from partseg.cli.data_names import find_dataset
from partseg.cli.data_pool import damage, default_workers, for_each, told
from partseg.cli.data_readers import chosen_reader, dataset_of, open_reader, reader_parser
from partseg.cli.progress import progress
from partseg.errors import InputError, PartsegError
from partseg.files import unwritable
from partseg.spec import SpecError

if TYPE_CHECKING:
    from partseg.data.formats.base import Reader
    from partseg.data.reading import ReaderDataset
    from partseg.spec import DatasetSpec

Normalization = Literal["box", "sphere", "none"]

_ABOUT = """\
Sample and normalise every shape once, into a cache that training reads. What is there already is left as it is, so that
an interrupted run goes on where it stopped; a shape whose files have changed is made anew."""
_EXAMPLES = """\
  partseg data prepare {name} --root D                          into the folder that `partseg fit` reads by itself
  partseg data prepare {name} --root D --cache C --points 2048  then fit with --data.cache C --data.points 2048
  partseg data prepare {name} --root D --skip-damaged           go on past damaged shapes
"""


@dataclass
class Prepared:
    """What became of the shapes.

    Attributes:
        made: number of those that were read.
        kept: number of those that were in the cache.
        damaged: (shape, error) of those left out.
        warnings: (shape, text) of what was mended or ignored in reading.
    """

    made: int = 0
    kept: int = 0
    damaged: list[tuple[str, InputError]] = field(default_factory=list)
    warnings: list[tuple[str, str]] = field(default_factory=list)


def prepare(
    dataset: str,
    root: str | Path | None = None,
    options: dict[str, Any] | None = None,
    *,
    cache: str | Path | None = None,
    points: int | Literal["all"] | None = None,
    normalize: Normalization | None = None,
    workers: int = 1,
    skip_damaged: bool = False,
) -> Prepared:
    """Make the prepared copy of every shape that has none.

    Args:
        dataset, root, options: see `partseg.cli.data_readers.open_reader`.
        cache: the folder; None for the dataset's own under ``$PARTSEG_CACHE`` or the platform's cache folder.
        points: points of each shape, or "all" of a cloud; None for as many as the dataset's datamodule takes.
        normalize: see `partseg.data.reading.ReaderDataset`; None for what the dataset's datamodule does.
        workers: processes that read.
        skip_damaged: leave out shapes that cannot be read instead of stopping at the first.

    Raises:
        InputError: a shape cannot be read (the finished ones stay), or the cache cannot be written to.
        PartsegError: no such dataset.
    """
    spec = find_dataset(dataset)
    reader = open_reader(spec.name, root, options)
    folder = cache_folder(spec.name) if cache is None else cache
    return prepare_reader(reader, folder, *as_trained(spec, points, normalize), workers, skip_damaged)


def prepare_reader(
    reader: Reader,
    cache: str | Path,
    points: int | None = 10_000,
    normalize: Normalization = "box",
    workers: int = 1,
    skip_damaged: bool = False,
) -> Prepared:
    """`prepare` for a reader; `points` and `normalize` as `partseg.data.reading.ReaderDataset` has them."""
    from partseg.data.reading import ReaderDataset

    _check_writable(Path(cache))
    data = ReaderDataset(reader, points, normalize=normalize, cache=cache)
    data.cache.sweep()
    done = Prepared()
    results = for_each(_Prepare(data), len(data), workers)
    with progress(len(data), "preparing") as advance, closing(results):
        for i, (made, error, texts) in results:
            name = data.items[i].name
            if error is not None:
                if not skip_damaged or Path(error.path).is_relative_to(cache):  # a full disk is no damaged shape
                    raise error
                done.damaged.append((name, error))
            else:
                done.made += made
                done.kept += not made
            done.warnings += [(name, text) for text in texts]
            advance(f"{len(done.damaged)} damaged" if done.damaged else "")
    return done


def cache_folder(name: str) -> Path:
    """Where the datamodule of a dataset looks for prepared copies when no cache is named."""
    from partseg.data.cache import cache_root

    return cache_root() / "data" / name


def as_trained(
    spec: DatasetSpec, points: int | Literal["all"] | None, normalize: Normalization | None
) -> tuple[int | None, Normalization]:
    """`prepare`'s arguments as a `ReaderDataset` takes them; those not given are the datamodule's defaults.

    Raises:
        PartsegError: they are wanted, but the datamodule cannot be imported.
    """
    if points is None or normalize is None:
        from partseg.data.from_files import FilesDataModule

        try:
            own = inspect.signature(spec.load()).parameters
        except (ImportError, SpecError) as error:
            cause = " ".join(str(error).split())
            raise PartsegError(
                f"{spec.name}: say --points and --normalize, its datamodule is broken: {cause}"
            ) from error
        defaults = {**inspect.signature(FilesDataModule).parameters, **own}
        normalize = defaults["normalize"].default if normalize is None else normalize
        points = (defaults["points"].default or "all") if points is None else points
    return (None if points == "all" else points), normalize


def main(argv: list[str]) -> int:
    """The command."""
    chosen = dataset_of("prepare", argv)
    if isinstance(chosen, int):
        return chosen
    spec, rest = chosen
    parser = reader_parser("prepare", spec, _ABOUT, _EXAMPLES)
    shown = f"$PARTSEG_CACHE/data/{spec.name}, or in the platform's cache folder"
    parser.add_argument("--cache", type=str, help=f"folder of the copies (when not given: {shown})")
    as_fit = "(when not given: what `partseg fit` takes)"
    number = PositiveInt | Literal["all"] | None
    parser.add_argument("--points", type=number, metavar="N|all", help=f"points of each shape {as_fit}")
    parser.add_argument(
        "--normalize",
        type=Normalization | None,
        metavar="box|sphere|none",
        help=f"longest side 1.8, radius 1, or the file's units {as_fit}",
    )
    parser.add_argument("--workers", type=PositiveInt, default=default_workers(), help="processes that read")
    parser.add_argument("--skip-damaged", action="store_true", help="leave out shapes that cannot be read")
    arguments = parser.parse_args(rest)
    cache = Path(arguments["cache"] or cache_folder(spec.name))
    started = time.perf_counter()
    done = prepare_reader(
        chosen_reader(spec, arguments),
        cache,
        *as_trained(spec, arguments["points"], arguments["normalize"]),
        arguments["workers"],
        arguments["skip_damaged"],
    )
    for name, text in done.warnings:
        print(f"{name}: warning: {text.removeprefix(f'{name}: ')}", file=sys.stderr)
    for name, error in done.damaged:
        print(f"{name}: left out: {error}", file=sys.stderr)
    print(f"{spec.name} in {cache}: {summary(done)}, {time.perf_counter() - started:.1f} s")
    return 0


def summary(done: Prepared) -> str:
    """One line: how many were made, how many were there already, how many are damaged."""
    total = done.made + done.kept + len(done.damaged)
    text = f"{total:,} shape{'s' * (total != 1)}: {done.made:,} prepared, {done.kept:,} there already"
    return text + (f", {len(done.damaged):,} damaged and left out" if done.damaged else "")


def _check_writable(folder: Path) -> None:
    """Fail before anything is read when nothing could be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise unwritable(folder, error) from None


@dataclass(frozen=True)
class _Prepare:
    data: ReaderDataset

    def __call__(self, i: int) -> tuple[bool, InputError | None, list[str]]:
        """Whether shape i had to be made, why it cannot be, and what was warned of."""
        made, failed = False, None
        with told() as texts:
            try:
                made = self.data.prepare(i)
            except Exception as error:  # a file may break a reader in ways that it does not foresee
                failed = damage(error, self.data.items[i].name)
        return made, failed, texts
