"""Geometry of one PartNet object: its labelled cloud, or the union of its pieces as one mesh.

`point_sample/` holds two clouds, each with its own labels: one sampled from the whole model, with normals and colours,
and one from the union of the pieces, with positions alone. Labels are leaf ids of `result.json`.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from partseg.data.formats.partnet_trees import RawTree
from partseg.errors import InputError, ShapeWarning
from partseg.geometry.io import load_shape
from partseg.geometry.shape import Shape

WHOLE = ("sample-points-all-pts-nor-rgba-10000.txt", "sample-points-all-label-10000.txt")
UNION = ("pts-10000.txt", "label-10000.txt")
MAX_BYTES = 1 << 26
MAX_FACES = 20_000_000
_MEND = "unpack the object again"


def load_cloud(folder: Path) -> tuple[Shape, Int[np.ndarray, "n"]]:
    """The cloud of an object and the leaf id of each point, from `<folder>/point_sample`.

    The cloud with normals and colours where it is there, else the one of positions.

    Raises:
        InputError: neither cloud is there, its labels are not, or a file is damaged.
    """
    where = folder / "point_sample"
    cloud, labels = (where / name for name in (WHOLE if (where / WHOLE[0]).is_file() else UNION))
    if not cloud.is_file():
        raise InputError(where, f"expected {WHOLE[0]} or {UNION[0]}, found neither", _MEND)
    table = read_table(cloud, np.float64)
    if table.shape[1] not in (3, 6, 10):
        raise InputError(cloud, f"expected 3, 6 or 10 columns, found {table.shape[1]}", _MEND)
    if not np.isfinite(table[:, :9]).all():
        raise InputError(cloud, "expected finite numbers, found NaN or infinity", _MEND)
    ids = read_table(labels, np.int64)
    if ids.shape != (len(table), 1):
        raise InputError(labels, f"expected {len(table):,} lines of one label, found {ids.shape}", _MEND)
    shape = Shape.from_points(
        table[:, :3],
        normals=unit(table[:, 3:6]) if table.shape[1] >= 6 else None,
        colors=np.clip(table[:, 6:9] / 255, 0, 1) if table.shape[1] == 10 else None,
        name=folder.name,
        source=cloud,
    )
    return shape, ids[:, 0]


def load_pieces(folder: Path, tree: RawTree) -> tuple[Shape, Int[np.ndarray, "f"]]:
    """The union of the pieces that the leaves of `tree` name, as one mesh, and the leaf id of each face.

    Pieces stand in the order of the leaves, faces in that of each file. Materials are dropped.

    Args:
        folder: holds `<piece>.obj`.
        tree: of `result.json`; in the merged tree, meshes of leaves that merging dropped are not reached.

    Raises:
        InputError: a piece is missing, damaged or named by two leaves; there is no face at all.
    """
    vertices, faces, ids = [], [], []
    owner: dict[str, int] = {}
    offset = total = 0
    for node in np.flatnonzero(tree.is_leaf).tolist():
        for stem in tree.objs[node]:
            leaf, path = int(tree.ori[node]), folder / f"{stem}.obj"
            if owner.setdefault(stem, leaf) != leaf:
                raise InputError(tree.path, f"masks overlap: leaves {owner[stem]} and {leaf} both name {stem}", _MEND)
            if not path.is_file():
                raise InputError(path, f"no such mesh, but {tree.path.name} names it at node {leaf}", _MEND)
            with warnings.catch_warnings():  # of textures, which are dropped anyway
                warnings.filterwarnings("ignore", ".*textures are left out", ShapeWarning)
                piece = load_shape(path)
            if not piece.is_mesh:
                warnings.warn(f"{path}: holds no faces, left out", ShapeWarning, stacklevel=2)
                continue
            total += len(piece.faces)
            if total > MAX_FACES:
                raise InputError(folder, f"expected at most {MAX_FACES:,} faces, found more")
            vertices.append(piece.transform.apply(piece.vertices))
            faces.append(piece.faces.astype(np.int64) + offset)
            ids.append(np.full(len(piece.faces), leaf, np.int64))
            offset += len(piece.vertices)
    if not faces:
        raise InputError(tree.path, "expected leaves with meshes (`objs`), found no face", _MEND)
    name = tree.path.parent.name
    return Shape.from_mesh(np.concatenate(vertices), np.concatenate(faces), name=name), np.concatenate(ids)


def missing_pieces(folder: Path, tree: RawTree) -> list[str]:
    """Stems that the leaves of a tree name and `folder` lacks."""
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    return [s for i in np.flatnonzero(tree.is_leaf) for s in tree.objs[i] if f"{s}.obj" not in there]


def unit(vectors: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """The same directions with length 1, float64; zero vectors stay zero."""
    vectors = np.asarray(vectors, np.float64)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 1e-12)


def read_table(path: Path, dtype: type) -> np.ndarray:
    """(lines, columns) numbers of a text file.

    Raises:
        InputError: it cannot be read, is empty, too large, or not a table of such numbers.
    """
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise InputError(path, f"expected at most {MAX_BYTES:,} bytes, found {size:,}")
        text = path.read_text(encoding="utf-8")
        if not text.strip():
            raise InputError(path, "expected a table of numbers, found an empty file", _MEND)
        return np.loadtxt(io.StringIO(text), dtype, comments=None, ndmin=2)
    except FileNotFoundError:
        raise InputError(path, "no such file", _MEND) from None
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror or error}") from None
    except (ValueError, OverflowError) as error:
        raise InputError(path, f"expected a table of numbers: {str(error)[:120]}", _MEND) from None
