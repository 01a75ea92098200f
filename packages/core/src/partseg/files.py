"""Writing that never leaves half a file (write aside, then rename), and what the files of a result are called."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
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
