"""Writing that never leaves half a file (write aside, then rename), and what the files of a result are called."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from partseg.errors import InputError

# in the folder of a segmented shape
GLB, LABELS, TREE, PICTURE, FULL_TREE = "parts.glb", "labels.npy", "tree.json", "parts.png", "segmentation.npz"


@contextmanager
def write_aside(path: str | Path) -> Iterator[Path]:
    """Yield a temporary sibling of `path`; rename it onto `path` when the block ends well, remove it otherwise.

    The sibling keeps the suffix of `path`, for writers that choose a format by it. Missing parent folders are made.

    Raises:
        InputError: the folder cannot be made or written to.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    except OSError as error:
        raise unwritable(path, error) from None
    os.close(handle)
    aside = Path(name)
    try:
        yield aside
        aside.chmod(0o666 & ~umask())
        os.replace(aside, path)
    except OSError as error:
        raise unwritable(path, error) from None
    finally:
        aside.unlink(missing_ok=True)


def check_free(folder: Path, overwrite: bool) -> None:
    """Fail before any work is done where there are results already.

    Raises:
        InputError: the folder exists, and is not to be overwritten or is no folder.
    """
    if folder.exists() and not (overwrite and folder.is_dir()):
        raise InputError(folder, "exists already", "use --overwrite, or another output folder")


@contextmanager
def write_folder(folder: str | Path, stale: Callable[[Path], Iterable[str]] = lambda folder: ()) -> Iterator[Path]:
    """Yield a hidden sibling of `folder`; its files become those of `folder` when the block ends well, else none does.

    A new folder appears by one rename; into an existing one the files are renamed one by one.

    Args:
        folder: missing parent folders are made.
        stale: names in an existing folder that are removed unless they were written now.

    Raises:
        InputError: the folder cannot be made or written to.
    """
    folder = Path(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    except OSError as error:
        raise unwritable(folder, error) from None
    try:
        yield aside
        aside.chmod(0o777 & ~umask())
        if not folder.exists():
            os.rename(aside, folder)
            return
        names = {file.name for file in aside.iterdir()}
        for name in names:
            os.replace(aside / name, folder / name)
        for name in set(stale(folder)) - names:
            (folder / name).unlink(missing_ok=True)
    except InputError as error:  # of a file in the hidden folder, of which nobody has heard
        if Path(error.path).is_relative_to(aside):
            raise InputError(folder, error.cause, error.mend) from None
        raise
    except OSError as error:
        raise unwritable(folder, error) from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def unwritable(path: str | Path, error: OSError) -> InputError:
    """What a person is told when a file or folder cannot be written."""
    return InputError(path, f"cannot be written: {error.strerror or error}", "choose another output folder")


def umask() -> int:
    """The permission bits that new files of this process do not get."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: str | Path, text: str) -> Path:
    """Write UTF-8 text atomically; returns the path."""
    with write_aside(path) as aside:
        aside.write_text(text, encoding="utf-8")
    return Path(path)
