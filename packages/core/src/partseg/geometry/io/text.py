"""Numbers out of text files, without a Python loop over lines.

A file is one ``bytes`` object; lines and tokens are found with array comparisons on its bytes, and whole blocks are
converted at once. What is left to Python is what is rare: names, and blocks that hold something other than numbers.
"""

from __future__ import annotations

import re
import warnings

import numpy as np
from jaxtyping import Bool, Float, Int

_IS_SPACE = np.zeros(256, dtype=bool)
_IS_SPACE[[9, 10, 11, 12, 13, 32]] = True


def normalise(data: bytes) -> bytes:
    """Line ends as ``\\n``, no blanks before a line's first word, one newline at the end."""
    if data.startswith(b"\xef\xbb\xbf"):  # UTF-8 byte order mark
        data = data[3:]
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if data[:1] in (b" ", b"\t") or b"\n " in data or b"\n\t" in data:
        data = re.sub(rb"(?m)^[ \t]+", b"", data)
    return data if data.endswith(b"\n") else data + b"\n"


def strip_comments(data: bytes, mark: bytes = b"#") -> bytes:
    """Everything from ``mark`` to the end of its line removed."""
    return re.sub(re.escape(mark) + rb"[^\n]*", b"", data) if mark in data else data


class Lines:
    """The lines of a normalised text: where they begin and end, and blocks of chosen ones.

    Attributes:
        data: the text; every line ends with a newline.
        starts: (l,) byte offset of each line's first byte.
        ends: (l,) byte offset of each line's newline.
        first, second: (l,) the first two bytes of each line (the newline itself where the line is shorter).
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        buffer = np.frombuffer(data, dtype=np.uint8)
        self.ends = np.flatnonzero(buffer == 10)
        self.starts = np.concatenate([[0], self.ends[:-1] + 1]) if len(self.ends) else np.zeros(0, np.int64)
        self.first = buffer[self.starts]
        self.second = buffer[np.minimum(self.starts + 1, self.ends)]

    def __len__(self) -> int:
        return len(self.starts)

    def begins(self, word: bytes) -> Int[np.ndarray, " k"]:
        """Numbers of the lines whose first word is ``word`` (one or two letters; more letters may follow two)."""
        if len(word) == 1:
            return np.flatnonzero((self.first == word[0]) & _IS_SPACE[self.second])
        return np.flatnonzero((self.first == word[0]) & (self.second == word[1]))

    def text(self, line: int) -> str:
        """One line as a string."""
        return self.data[self.starts[line] : self.ends[line]].decode("utf-8", errors="replace")

    def block(self, lines: Int[np.ndarray, " k"], skip: int = 0) -> bytes:
        """The chosen lines in ascending order, newline included, with their first ``skip`` bytes made blanks.

        None of them may be empty where ``skip`` is not 0.
        """
        if not len(lines):
            return b""
        cuts = np.flatnonzero(np.diff(lines) != 1) + 1
        begin = self.starts[lines[np.concatenate([[0], cuts])]]
        end = self.ends[lines[np.concatenate([cuts - 1, [len(lines) - 1]])]] + 1
        joined = b"".join([self.data[a:b] for a, b in zip(begin.tolist(), end.tolist(), strict=True)])
        if not skip:
            return joined
        array = np.frombuffer(joined, dtype=np.uint8).copy()
        newline = np.cumsum(self.ends[lines] + 1 - self.starts[lines]) - 1
        begin = np.concatenate([[0], newline[:-1] + 1])
        for k in range(skip):
            array[np.minimum(begin + k, newline - 1)] = 32
        return array.tobytes()


def token_starts(array: np.ndarray, extra: bytes = b"") -> Int[np.ndarray, " t"]:
    """Offsets where a token begins in a byte array; tokens are split by white space and by the bytes of ``extra``."""
    blank = _IS_SPACE
    if extra:
        blank = _IS_SPACE.copy()
        blank[list(extra)] = True
    space = blank[array]
    begins = ~space
    begins[1:] &= space[:-1]
    return np.flatnonzero(begins)


def tokens_per_line(block: bytes, starts: Int[np.ndarray, " t"] | None = None) -> Int[np.ndarray, " l"]:
    """How many white-space separated tokens each line of a block holds (the block ends with a newline).

    ``starts`` are its `token_starts`, if they are known already.
    """
    array = np.frombuffer(block, dtype=np.uint8)
    ends = np.flatnonzero(array == 10)
    starts = token_starts(array) if starts is None else starts
    return np.diff(np.searchsorted(starts, np.concatenate([[-1], ends])))


def _float_or_nan(token: bytes) -> float:
    try:
        return float(token)
    except ValueError:
        return float("nan")


def _int_or_zero(token: bytes) -> int:
    value = _float_or_nan(token)
    return int(value) if abs(value) < 2**62 and value == int(value) else 0


def _convert(text: bytes, dtype: type) -> np.ndarray | None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # older numpy warns where newer raises
        try:
            return np.fromstring(text, dtype=dtype, sep=" ")
        except (ValueError, DeprecationWarning):
            return None


def floats(text: bytes, count: int | None = None) -> Float[np.ndarray, " t"]:
    """All tokens of a text as float64; a token that is no number becomes NaN.

    Args:
        text: tokens split by white space.
        count: number of tokens where it is known; a disagreement sends the text through the slow path.
    """
    if not text or text.isspace():
        return np.zeros(0)
    values = _convert(text, np.int64)  # several times faster, and it fails at the first token with a point
    values = _convert(text, np.float64) if values is None else values.astype(np.float64)
    if values is None or (count is not None and len(values) != count):
        values = np.array([_float_or_nan(token) for token in text.split()], dtype=np.float64)
    return values


def ints(text: bytes, count: int | None = None) -> Int[np.ndarray, " t"]:
    """All tokens of a text as int64; a token that is no integer becomes 0."""
    if not text or text.isspace():
        return np.zeros(0, np.int64)
    values = _convert(text, np.int64)
    if values is None or (count is not None and len(values) != count):
        values = np.array([_int_or_zero(token) for token in text.split()], dtype=np.int64)
    return values


def as_indices(values: np.ndarray) -> Int[np.ndarray, " t"]:
    """Numbers as int64 indices; -1 for what is no number or far out of range."""
    if values.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            values = np.where(np.abs(values) < 2.0**62, values, -1)
    return values.astype(np.int64)


def ragged_positions(counts: Int[np.ndarray, " n"]) -> tuple[Int[np.ndarray, " t"], Int[np.ndarray, " t"]]:
    """Row and column of every item of a ragged array given the length of each row."""
    rows = np.repeat(np.arange(len(counts)), counts)
    columns = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    return rows, columns


def number_table(block: bytes, width: int) -> Float[np.ndarray, "l width"]:
    """Lines of numbers as a table with NaN where a line is short; numbers beyond ``width`` are left out."""
    counts = tokens_per_line(block)
    values = floats(block, int(counts.sum()))
    if len(counts) and (counts == counts[0]).all() and counts[0] >= width:
        return values.reshape(len(counts), -1)[:, :width]
    table = np.full((len(counts), width), np.nan)
    rows, columns = ragged_positions(counts)
    keep: Bool[np.ndarray, " t"] = columns < width
    table[rows[keep], columns[keep]] = values[keep]
    return table
