"""What readers of indoor scenes share: files read within bounds, vertex normals, clouds of a fixed size."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from partseg.data.formats.base import PartSample, dense
from partseg.errors import InputError, PartsegError
from partseg.geometry.sampling import farthest_point_sampling

LEVEL = "objects"
"""The one level of a scene: its objects."""


def read_bytes(path: str | Path, limit: int, mend: str = "") -> bytes:
    """The whole file.

    Args:
        path: the file. limit: most bytes it may hold. mend: how to obtain the file.

    Raises:
        InputError: there is no such file, it cannot be read, is empty or larger than the limit.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise InputError(path, "there is no such file", mend)
        size = path.stat().st_size
        if size > limit:
            raise InputError(path, f"{size / 2**20:,.0f} MiB, expected at most {limit / 2**20:,.0f} MiB", mend)
        data = path.read_bytes()
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror or error}", mend) from None
    if not data:
        raise InputError(path, "is empty", mend)
    return data


def read_text(path: str | Path, limit: int = 1 << 24, mend: str = "") -> str:
    """The whole file as UTF-8 text; errors as `read_bytes`, and for binary data."""
    try:
        return read_bytes(path, limit, mend).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(path, "expected a text file, found binary data", mend) from None


def read_object(path: str | Path, limit: int = 1 << 28, mend: str = "") -> dict:
    """The object (not a list or a number) that a JSON file holds; errors as `read_bytes`, and for damaged JSON."""
    text = read_text(path, limit, mend)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(
            path, f"expected JSON: {str(error)[:80]}", mend or "the file is damaged or cut short"
        ) from None
    if not isinstance(value, dict):
        raise InputError(path, f"expected a JSON object, found {type(value).__name__}", mend)
    return value


def integers(path: str | Path, values: object, what: str) -> Int[np.ndarray, " n"]:
    """A JSON list of integers as int64.

    Raises:
        InputError: it is no list, or holds something else; `what` names it.
    """
    if not isinstance(values, list):
        raise InputError(path, f"expected {what} as a list of integers, found {type(values).__name__}")
    try:
        array = np.array(values) if values else np.zeros(0, np.int64)
    except (ValueError, OverflowError):  # lists of different lengths
        array = np.zeros((0, 0), np.float64)
    if array.ndim != 1 or array.dtype.kind != "i":
        raise InputError(path, f"expected {what} as a list of integers, found something else in it")
    return array.astype(np.int64)


def vertex_normals(vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]) -> Float[np.ndarray, "v 3"]:
    """Unit normals of vertices: the mean of the normals of their faces, weighted by area; zero where there is none.

    Returns:
        (v, 3) float32.
    """
    corners = np.asarray(vertices, np.float64)[faces]
    twice = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.stack(
        [np.bincount(faces.reshape(-1), np.repeat(twice[:, d], 3), minlength=len(vertices)) for d in range(3)], axis=1
    )
    length = np.linalg.norm(total, axis=1)[:, None]
    return np.divide(total, length, out=np.zeros_like(total), where=length > 0).astype(np.float32)


def seed_of(name: str) -> int:
    """A number that follows from a name alone, the same in every process."""
    return zlib.crc32(name.encode("utf-8"))


def spread_choice(
    points: Float[np.ndarray, "n 3"], count: int, seed: int, first: int = 30_000
) -> Int[np.ndarray, " count"]:
    """Which points a cloud of `count` points keeps, as the GSPN release caches its scenes.

    The release takes at most `first` farthest points and then `count` farthest points of these. Begun at the first
    point both times, the second choice is the beginning of the first one, so it is made once. Where there are too few,
    all are kept and random ones repeated.

    Args:
        points: at least one. count: at least 1. seed: of the repeats.

    Returns:
        (count,) int64 indices, the well-spread ones first.
    """
    chosen = farthest_point_sampling(points, min(len(points), first, count), start=0)
    if len(chosen) < count:
        more = np.random.default_rng(seed).integers(len(chosen), size=count - len(chosen))
        chosen = np.concatenate([chosen, chosen[more]])
    return chosen


def taken(sample: PartSample, rows: Int[np.ndarray, " m"]) -> PartSample:
    """A cloud of the chosen points, repeats allowed; instances that lose all their points leave no gap in the numbers.

    Raises:
        PartsegError: the sample is a mesh or has a hierarchy.
    """
    shape = sample.shape
    if shape.is_mesh or sample.hierarchy is not None:
        raise PartsegError("only clouds without a hierarchy can be subsampled here")
    pick = lambda values: None if values is None else values[rows]  # noqa: E731
    cloud = replace(shape, points=shape.points[rows], normals=pick(shape.normals), colors=pick(shape.colors))
    labels = {level: dense(values[rows]) for level, values in sample.labels.items()}
    semantics: Mapping[str, np.ndarray] = {level: values[rows] for level, values in sample.semantics.items()}
    return PartSample(cloud, labels, semantics)


def sized(sample: PartSample, points: int | None, name: str) -> PartSample:
    """The sample with `points` points (see `spread_choice`), or as it is for None."""
    if points is None:
        return sample
    return taken(sample, spread_choice(sample.shape.points, points, seed_of(name)))


def positive(name: str, value: int | None) -> int | None:
    """A count that an option gives.

    Raises:
        PartsegError: it is not positive.
    """
    if value is not None and value < 1:
        raise PartsegError(f"{name} must be at least 1, found {value}")
    return value
