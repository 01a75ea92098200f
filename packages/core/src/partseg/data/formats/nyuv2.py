"""NYU Depth v2: RGB-D frames of rooms, lifted to points (Silberman et al., ECCV 2012).

Layout: `nyu_depth_v2_labeled.mat` (HDF5: `images`, `depths`, `labels`, `instances`, `names`) and `splits.mat` (795
frames for training, 654 for testing) in the root. Where `classMapping40.mat` (Gupta et al., CVPR 2013) lies beside
them, the 894 raw classes are also told as 40; with `class13Mapping.mat` or `classMapping13.mat` as 13 (Couprie et al.,
ICLR 2013).

The labelled depth maps are registered to the colour camera, so pixels are lifted with its intrinsics, those of
`camera_params.m` in the data set's toolbox (as the toolbox's `rgb_plane2rgb_world.m` does). Coordinates are metres, x
right, y up, z towards the viewer: a point at depth d has z = -d. Pixels without a depth are dropped.

An instance is a pair of class and instance number, as in the toolbox; a class number of 0 is unlabelled, an instance
number of 0 is no instance.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int, Real

from partseg.data.formats.base import PartItem, PartSample, Reader, Taxonomy, dense, extra, folder
from partseg.data.formats.scenes import LEVEL, read_bytes
from partseg.errors import InputError, UnknownNameError
from partseg.geometry.shape import Shape

if TYPE_CHECKING:
    import h5py

WIDTH, HEIGHT = 640, 480
# fx, fy, cx, cy of the colour camera in pixels, the first pixel's centre at 1
INTRINSICS = (5.1885790117450188e02, 5.1946961112127485e02, 3.2558244941119034e02, 2.5373616633400465e02)

_MAT, _SPLITS = "nyu_depth_v2_labeled.mat", "splits.mat"
_MAP40, _MAP13 = "classMapping40.mat", ("class13Mapping.mat", "classMapping13.mat")
_MEND = "download it from cs.nyu.edu/~fergus/datasets/nyu_depth_v2.html"
_MAX_SMALL = 1 << 20  # bytes of a .mat beside the data; the real ones have some kilobytes
_MAX_CLASSES = 1 << 14
_MAX_DEPTH = 100.0  # metres; the sensor ends at 10
_FRAME = {"images": (3, WIDTH, HEIGHT), "depths": (WIDTH, HEIGHT), "labels": (WIDTH, HEIGHT)}
_FRAME |= {"instances": _FRAME["labels"]}


class NyuV2Reader(Reader):
    """NYU Depth v2 as a set of labelled clouds, one a frame, points row by row of the picture.

    Semantics have the level "objects" (raw classes) and, where their files are there, "40" and "13".

    Args:
        root: the folder that holds `nyu_depth_v2_labeled.mat`.
        split: "train" or "test"; None: all frames.
    """

    def __init__(self, root: str | Path, split: str | None = None) -> None:
        super().__init__(root)
        if split not in (None, "train", "test"):
            raise UnknownNameError(f"unknown split {split!r}; NYU Depth v2 has train, test")
        self.split = split
        self._maps: dict[str, tuple[Int[np.ndarray, " c"], tuple[str, ...]]] | None = None

    def index(self) -> tuple[PartItem, ...]:
        path = folder(self.root, _MEND) / _MAT
        if not path.is_file():
            raise InputError(path, "there is no such file", _MEND)
        splits = self.root / _SPLITS
        if splits.is_file():
            table = _small_mat(splits)
            of_row = {}
            for split in ("train", "test"):
                for row in _numbers(splits, table, f"{split}Ndxs"):
                    if row < 1 or of_row.setdefault(int(row) - 1, split) != split:
                        raise InputError(splits, f"frame {row}: expected frames from 1, each in one split", _MEND)
        elif self.split is not None:
            raise InputError(splits, "there is no such file", _MEND)
        else:
            with _opened(path) as file:
                of_row = dict.fromkeys(range(len(_dataset(path, file, "depths"))), "")
        return tuple(
            PartItem(f"{row + 1:04d}", split=of_row[row], files=(path,), row=row)
            for row in sorted(of_row)
            if self.split in (None, of_row[row])
        )

    def load(self, item: PartItem) -> PartSample:
        path = item.files[0]
        with _opened(path) as file:
            frame = {name: _frame(path, file, name, item.row) for name in _FRAME}
            n_classes = _dataset(path, file, "names").size
        depth = frame["depths"].T.astype(np.float64)
        seen = (depth > 0) & (depth < _MAX_DEPTH)  # false for NaN too
        if not seen.any():
            raise InputError(path, f"frame {item.row + 1} has no depth")
        label = frame["labels"].T[seen].astype(np.int64)
        number = frame["instances"].T[seen].astype(np.int64)
        if label.min() < 0 or label.max() > n_classes:
            raise InputError(path, f"frame {item.row + 1}: label {label.max()}, but {n_classes} classes")
        colors = np.moveaxis(frame["images"], 0, 2).transpose(1, 0, 2)[seen].astype(np.float32) / 255
        cloud = Shape.from_points(lifted(depth)[seen], colors=colors, name=item.name, source=path)
        one = (label > 0) & (number > 0)
        pairs = np.where(one, label * (int(number.max(initial=0)) + 1) + number, -1)
        semantics = {LEVEL: label - 1}
        for level, (table, _) in self._mappings(n_classes).items():
            semantics[level] = np.append(table, -1)[label - 1]
        return PartSample(cloud, {LEVEL: dense(pairs)}, semantics)

    def taxonomy(self) -> Taxonomy:
        path = self.root / _MAT
        with _opened(path) as file:
            names = _names(path, file)
        return {LEVEL: names} | {level: words for level, (_, words) in self._mappings(len(names)).items()}

    def _mappings(self, n_classes: int) -> Mapping[str, tuple[Int[np.ndarray, " c"], tuple[str, ...]]]:
        """Level -> (class at that level of each raw class, -1 none; names), from the files that are there."""
        if self._maps is None:
            maps = {}
            path = self.root / _MAP40
            if path.is_file():
                table = _small_mat(path)
                maps["40"] = _mapping(path, _numbers(path, table, "mapClass"), _words(path, table.get("className")))
                if len(maps["40"][0]) != n_classes:
                    raise InputError(path, f"expected {n_classes} raw classes, found {len(maps['40'][0])}")
                for name in _MAP13:
                    if (self.root / name).is_file():
                        maps["13"] = _thirteen(self.root / name, maps["40"][0], n_classes)
                        break
            self._maps = maps
        return self._maps


def lifted(depth: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w 3"]:
    """What the pixels of a labelled depth map see, metres; see the module's text. Invalid depths pass through."""
    fx, fy, cx, cy = INTRINSICS
    height, width = depth.shape
    x = (np.arange(1, width + 1) - cx) / fx * depth
    y = (np.arange(1, height + 1) - cy)[:, None] / fy * depth
    return np.stack([x, -y, -depth], axis=2)


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    """The file; whatever HDF5 says of damage becomes one line."""
    h5py = extra("h5py")
    if not path.is_file():
        raise InputError(path, "there is no such file", _MEND)
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise InputError(path, f"expected HDF5 (MATLAB 7.3): {str(error)[:100]}", _MEND) from None


def _dataset(path: Path, file: h5py.File, name: str) -> h5py.Dataset:
    """A data set that lies in this very file (HDF5 can point into others)."""
    h5py = extra("h5py")
    link = file.get(name, getlink=True)
    data = file[name] if isinstance(link, h5py.HardLink) else None
    if not isinstance(data, h5py.Dataset) or data.is_virtual or data.external:
        raise InputError(
            path, f"expected a data set {name!r}, found {', '.join(sorted(file)[:10]) or 'nothing'}", _MEND
        )
    return data


def _frame(path: Path, file: h5py.File, name: str, row: int) -> Real[np.ndarray, "..."]:
    data, shape = _dataset(path, file, name), _FRAME[name]
    if data.shape[1:] != shape or data.dtype.kind not in ("f" if name == "depths" else "iu"):
        raise InputError(
            path, f"{name}: expected (frames, {', '.join(map(str, shape))}), found {data.dtype} {data.shape}"
        )
    if not 0 <= row < len(data):
        raise InputError(path, f"{name}: expected frame {row + 1}, found {len(data)} frames", _MEND)
    return data[row]


def _names(path: Path, file: h5py.File) -> tuple[str, ...]:
    """The raw classes: references to arrays of characters."""
    h5py = extra("h5py")
    cells = _dataset(path, file, "names")
    if cells.size > _MAX_CLASSES or h5py.check_ref_dtype(cells.dtype) is not h5py.Reference:
        raise InputError(path, f"names: expected a cell array, found {cells.dtype} {cells.shape}", _MEND)
    names = []
    for reference in cells[()].reshape(-1):
        letters = file[reference]
        if not isinstance(letters, h5py.Dataset) or letters.size > 1000 or letters.dtype.kind not in "iu":
            raise InputError(path, f"names: class {len(names) + 1} is no text", _MEND)
        names.append("".join(map(chr, letters[()].reshape(-1).tolist())))
    return tuple(names)


def _small_mat(path: Path) -> dict:
    """Variables of a MATLAB 5 file."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    data = read_bytes(path, _MAX_SMALL, _MEND)
    try:
        return loadmat(BytesIO(data))
    except (
        MatReadError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError, EOFError, OSError,
        MemoryError, NotImplementedError, struct.error, zlib.error,
    ) as error:  # fmt: skip
        raise InputError(path, f"expected a MATLAB 5 file ({type(error).__name__})", "fetch it again") from None


def _numbers(path: Path, table: Mapping, name: str) -> Int[np.ndarray, " n"]:
    values = table.get(name)
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "iuf" or not np.isfinite(values).all():
        raise InputError(path, f"expected numbers {name!r}", "fetch it again")
    return values.reshape(-1).astype(np.int64)


def _words(path: Path, cells: object) -> tuple[str, ...]:
    """A cell array of strings."""
    words = [np.asarray(cell) for cell in cells.reshape(-1)] if isinstance(cells, np.ndarray) else []
    if not words or any(word.dtype.kind != "U" or word.size != 1 for word in words):
        raise InputError(path, "expected a cell array of class names", "fetch it again")
    return tuple(str(word.reshape(-1)[0]) for word in words)


def _mapping(
    path: Path, number: Int[np.ndarray, " c"], words: tuple[str, ...]
) -> tuple[Int[np.ndarray, " c"], tuple[str, ...]]:
    """Numbers from 1 (0 none) as indices into the names."""
    if number.min(initial=0) < 0 or number.max(initial=0) > len(words):
        raise InputError(path, f"expected classes 1..{len(words)}, found {number.min()}..{number.max()}")
    return number - 1, words


def _thirteen(
    path: Path, forty: Int[np.ndarray, " c"], n_classes: int
) -> tuple[Int[np.ndarray, " c"], tuple[str, ...]]:
    """13 classes of the raw classes: a structure of 40 numbers and 13 names, or a vector and names as for 40."""
    table = _small_mat(path)
    inner = table.get("classMapping13")
    if inner is None:
        number, words = _mapping(path, _numbers(path, table, "mapClass"), _words(path, table.get("className")))
        if len(number) != n_classes:
            raise InputError(path, f"expected {n_classes} raw classes, found {len(number)}")
        return number, words
    fields = inner.dtype.names if isinstance(inner, np.ndarray) else None
    if not fields or len(fields) < 2 or inner.size != 1:
        raise InputError(path, "expected a structure classMapping13 of numbers and names", "fetch it again")
    row = dict(zip(fields, inner.reshape(-1)[0], strict=True))
    number, words = _mapping(path, _numbers(path, row, fields[0]), _words(path, row[fields[1]]))
    if forty.max(initial=-1) >= len(number):
        raise InputError(path, f"expected a number for each of 40 classes, found {len(number)}")
    return np.append(number, -1)[forty], words
