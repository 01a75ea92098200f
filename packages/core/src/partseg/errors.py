"""Errors and warnings that speak to a person: one line, the cause, the mend."""

from __future__ import annotations

from pathlib import Path


class PartsegError(Exception):
    """Base of every error a user can mend. Its text is one line; command lines print it without a traceback."""


class InputError(PartsegError):
    """A file or folder that cannot be used.

    Args:
        path: the file as the user named it (or a short description of an in-memory input).
        cause: what is wrong with it, in a few words.
        mend: what the user can do about it; empty when nothing can be suggested.
    """

    def __init__(self, path: str | Path, cause: str, mend: str = "") -> None:
        self.path, self.cause, self.mend = str(path), " ".join(str(cause).split()), " ".join(str(mend).split())
        super().__init__(f"{self.path}: {self.cause}" + (f" ({self.mend})" if self.mend else ""))

    def __reduce__(self) -> tuple[type[InputError], tuple[str, str, str]]:  # survives worker processes
        return type(self), (self.path, self.cause, self.mend)


class UnknownNameError(PartsegError):
    """A method, dataset, protocol or level that is not known; the text lists what is."""


class ShapeWarning(UserWarning):
    """Part of a shape had to be mended or ignored; the rest was used."""
