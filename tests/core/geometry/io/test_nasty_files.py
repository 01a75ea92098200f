"""Every awkward real file gives a valid shape or one clear line, quickly, and agrees with trimesh where it can."""

from __future__ import annotations

import os
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import trimesh
from scipy.spatial import cKDTree

from partseg.errors import InputError, ShapeWarning
from partseg.geometry.io import SUFFIXES, load_shape

_ROOT = Path(os.environ.get("PARTSEG_TEST_DATA") or Path(__file__).resolve().parents[5] / "shared" / "data")
_NASTY = _ROOT / "nasty_meshes"
_FILES = sorted(str(p.relative_to(_NASTY)) for p in _NASTY.rglob("*") if p.suffix.lower() in SUFFIXES)
_NAMES = [pytest.param(name, id=name.rsplit("/", 1)[-1]) for name in _FILES]

# what must be refused, and a word of the reason
_REFUSED = {
    "BoxWithInfinites.glb": "finite",
    "AllIndicesOutOfRange.gltf": "does not exist",
    "OutOfMemory.off": "353,535,235,358",
    "RecursiveNodes.gltf": "no geometry",
    "empty.off": "empty",
    "invalid.off": "face",
    "empty.obj": "no vertices",
    "empty.ply": "no faces and no points",
    "empty.stl": "no facets",
    "obj_empty.obj": "no vertices",
    "stl_empty_ascii.stl": "no facets",
    "stl_empty_bin.stl": "no facets",
    "empty_nodes.glb": "no geometry",
}
# triangles of files that trimesh refuses, or whose instances and polygons it counts otherwise
_TRIANGLES = {"malformed.obj": 12, "IndexOutOfRange.gltf": 12, "pins.glb": 3408, "mode5.gltf": 2786}
_WARNED = {"malformed.obj": "3 use a missing vertex", "IndexOutOfRange.gltf": "1 use a missing vertex"}


def test_the_files_are_there(test_data):
    assert len(test_data("nasty_meshes").name) > 0
    assert len(_FILES) >= 60


@pytest.mark.parametrize("name", _NAMES)
def test_shape_or_one_line(name):
    path = _NASTY / name
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if path.name in _REFUSED:
            with pytest.raises(InputError, match=_REFUSED[path.name]) as error:
                load_shape(path)
            assert str(path) in str(error.value)
            assert "\n" not in str(error.value)
            return
        shape = load_shape(path)
    assert time.perf_counter() - start < 10
    assert all(issubclass(w.category, ShapeWarning) for w in caught)
    expected = _WARNED.get(path.name)
    assert expected is None or any(expected in str(w.message) for w in caught)
    assert np.isfinite(shape.points).all()
    if shape.is_mesh:
        assert np.isfinite(shape.vertices).all()
        assert shape.faces.min() >= 0
        assert shape.faces.max() < len(shape.vertices)


@pytest.mark.parametrize("name", _NAMES)
def test_geometry_as_trimesh_reads_it(name):
    path = _NASTY / name
    if path.name in _REFUSED:
        pytest.skip("refused")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shape = load_shape(path)
        if path.name in _TRIANGLES:
            assert shape.n_elements == _TRIANGLES[path.name]
        if path.name in ("malformed.obj", "IndexOutOfRange.gltf"):
            return  # trimesh reads neither
        scene = trimesh.load_scene(path, process=False)
    meshes = scene.dump()
    if not shape.is_mesh:
        points = np.concatenate([np.asarray(m.vertices) for m in scene.geometry.values()])
        assert np.allclose(points, shape.transform.apply(shape.points), atol=1e-5 * np.abs(points).max())
        return
    if path.name == "polygonfaces.obj":  # a pentagon out of its plane: any three triangles
        assert shape.n_elements == 3
        return
    theirs = np.concatenate([np.asarray(m.vertices)[m.faces] for m in meshes])
    ours = shape.vertices[shape.faces]
    assert len(ours) == len(theirs)
    scale = np.abs(theirs).max()
    if path.suffix == ".off" and shape.polygon is not None:  # quads may be cut along the other diagonal
        area = lambda t: np.linalg.norm(np.cross(t[:, 1] - t[:, 0], t[:, 2] - t[:, 0]), axis=1).sum()  # noqa: E731
        assert area(ours) == pytest.approx(area(theirs), rel=0.02)
        return
    ours, theirs = _rows(ours), _rows(theirs)
    for one, other in ((ours, theirs), (theirs, ours)):
        distance, _ = cKDTree(one).query(other)
        assert distance.max() < 1e-5 * scale


def _rows(triangles: np.ndarray) -> np.ndarray:
    """Centroid, area vector (so that winding counts) and size of each triangle, all in units of length."""
    normal = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    edges = np.linalg.norm(triangles - triangles[:, [1, 2, 0]], axis=2).sum(1, keepdims=True)
    return np.concatenate([triangles.mean(1), normal / np.sqrt(np.maximum(length, 1e-12)), edges], axis=1)
