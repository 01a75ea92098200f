"""OFF, STL, tables of points, NumPy files, `.splat`, `.spz`, and the choice between formats."""

from __future__ import annotations

import gzip
import io
import zipfile

import numpy as np
import pytest

from partseg.errors import InputError, ShapeWarning
from partseg.geometry.io import load_shape

_CORNERS = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], float)


def _load(tmp_path, name: str, data: str | bytes, **options):
    path = tmp_path / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return load_shape(path, **options)


# OFF


@pytest.mark.parametrize(
    "head", ["OFF\n4 2 0\n", "OFF 4 2 0\n", "# hi\n\n OFF # x\n\n4 2\n", "4OFF\n4 2 0\n", "OFF4 2 0\n"]
)
def test_off_headers(tmp_path, head):
    w = " 2" if head.startswith("4OFF") else ""
    body = "".join(f"{x} {y} {z}{w} # note\n\n" for x, y, z in _CORNERS) + "3 0 1 2\n3 0 2 3 255 0 0\n"
    if head.startswith("OFF4") or not w:
        shape = _load(tmp_path, "a.off", head + body)
        assert shape.vertices.tolist() == _CORNERS.tolist()
    else:
        shape = _load(tmp_path, "a.off", head + body)
        assert shape.vertices.tolist() == (_CORNERS / 2).tolist()
    assert shape.faces.tolist() == [[0, 1, 2], [0, 2, 3]]


def test_off_colors_and_normals(tmp_path):
    paint = ["255 0 0 255", "0 255 0 255", "0 0 255 128", "0 0 0 255"]
    lines = [f"{x} {y} {z} 0 0 1 {c}" for (x, y, z), c in zip(_CORNERS.tolist(), paint)]
    shape = _load(tmp_path, "a.off", "CNOFF\n4 1 0\n" + "\n".join(lines) + "\n4 0 1 2 3\n")
    assert shape.polygon.tolist() == [0, 0]
    assert shape.appearance.corner_colors[0].tolist() == [[255, 0, 0, 255], [0, 255, 0, 255], [0, 0, 255, 128]]
    assert (shape.appearance.corner_normals == [0, 0, 1]).all()
    points = "".join(f"{x} {y} {z}\n" for x, y, z in _CORNERS)
    faces = _load(tmp_path, "b.off", f"OFF\n4 2 0\n{points}3 0 1 2 1.0 0.5 0.0\n3 0 2 3 0 0 1\n")
    assert faces.appearance.corner_colors[:, 0].tolist() == [[255, 128, 0, 255], [0, 0, 255, 255]]
    assert _load(tmp_path, "c.off", f"OFF\n4 0 0\n{points}").kind == "cloud"


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("OFF\n", "no counts"),
        ("OFF\nmany few\n", "no counts"),
        ("OFF\n-4 2 0\n", "no counts"),
        ("OFF\n1e300 2 0\n0 0 0\n", "header says"),
        ("OFF BINARY\n\0\0", "binary"),
        ("OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1\n", "lists 2 numbers for 3"),
        ("OFF\n3 1 0\n0 0 0\n1 0\n0 1 0\n3 0 1 2\n", "a vertex has 2 numbers"),
        ("OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 7 8 9\n", "does not exist"),
        ("plain text", "does not begin with OFF"),
    ],
)
def test_off_refused(tmp_path, text, cause):
    with pytest.raises(InputError, match=cause):
        _load(tmp_path, "a.off", text)


# STL


def _binary_stl(triangles: np.ndarray, claimed: int | None = None, head: bytes = b"") -> bytes:
    rows = np.zeros(len(triangles), [("n", "<f4", 3), ("c", "<f4", (3, 3)), ("a", "<u2")])
    rows["c"] = triangles
    count = len(triangles) if claimed is None else claimed
    return head.ljust(80, b" ") + count.to_bytes(4, "little") + rows.tobytes()


def _ascii_stl(triangles: np.ndarray, name: str = "part") -> str:
    loops = [
        "facet normal 0 0 0\n outer loop\n"
        + "".join("  vertex {!r} {!r} {!r}\n".format(*p) for p in t)
        + "endloop\nendfacet\n"
        for t in triangles.tolist()
    ]
    return f"solid {name}\n" + "".join(loops) + f"endsolid {name}\n"


@pytest.mark.parametrize("head", [b"", b"solid in name only"])
def test_stl_forms_agree(tmp_path, head):
    triangles = np.random.default_rng(0).normal(size=(30, 3, 3)).astype(np.float32).astype(float)
    binary = _load(tmp_path, "a.stl", _binary_stl(triangles, head=head))
    text = _load(tmp_path, "b.stl", _ascii_stl(triangles))
    upper = _load(tmp_path, "c.stl", _ascii_stl(triangles).upper())
    for shape in (binary, text, upper):
        assert np.array_equal(shape.vertices[shape.faces], triangles)


def test_stl_solids(tmp_path):
    triangles = np.random.default_rng(0).normal(size=(5, 3, 3))
    shape = _load(tmp_path, "a.stl", _ascii_stl(triangles[:3], "left wing") + _ascii_stl(triangles[3:], ""))
    assert shape.appearance.node_names == ("left wing", "solid 1")
    assert shape.appearance.face_node.tolist() == [0, 0, 0, 1, 1]


def test_stl_counts(tmp_path):
    triangles = np.random.default_rng(0).normal(size=(5, 3, 3))
    with pytest.raises(InputError, match="4,294,967,295 facets but it holds 5"):
        _load(tmp_path, "a.stl", _binary_stl(triangles, 2**32 - 1))
    with pytest.warns(ShapeWarning, match="says no facets"):
        assert _load(tmp_path, "a.stl", _binary_stl(triangles, 0)).n_elements == 5
    assert _load(tmp_path, "a.stl", _binary_stl(triangles) + b"trailer").n_elements == 5
    with pytest.raises(InputError, match="not three for each facet"):
        _load(tmp_path, "a.stl", "solid x\nvertex 0 0 0\nvertex 0 0 0\n")


# tables

_XYZ = np.random.default_rng(3).normal(size=(40, 3)).round(4)
_UNIT = _XYZ[::-1] / np.linalg.norm(_XYZ[::-1], axis=1, keepdims=True)
_RGB = np.random.default_rng(4).integers(0, 256, (40, 3))


def _rows(*blocks: np.ndarray, sep: str = " ") -> str:
    return "".join(sep.join(f"{float(x):.6g}" for x in row) + "\n" for row in np.concatenate(blocks, axis=1))


@pytest.mark.parametrize(
    ("name", "text", "normals", "colors"),
    [
        ("a.xyz", _rows(_XYZ), False, False),
        ("a.txt", "# note\n" + _rows(_XYZ, _UNIT), True, False),
        ("a.txt", _rows(_XYZ, _RGB, sep="\t"), False, True),
        ("a.txt", _rows(_XYZ, _RGB / 255, sep=";"), False, True),
        ("a.txt", _rows(_XYZ, _UNIT, _RGB), True, True),
        ("a.txt", _rows(_XYZ, _RGB, _UNIT), True, True),
        ("a.csv", _rows(_XYZ, _UNIT, sep=","), True, False),
        ("a.csv", "nx,ny,nz,x,y,z,R,G,B\n" + _rows(_UNIT, _XYZ, _RGB, sep=", "), True, True),
        ("a.pts", "40\n" + _rows(_XYZ, _XYZ[:, :1], _RGB), False, True),
        ("a.txt", _rows(_XYZ, _UNIT, np.arange(40)[:, None]).replace("\n", "\r\n"), True, False),
    ],
)
def test_tables(tmp_path, name, text, normals, colors):
    if name == "a.txt" and text.count(
        "\r"
    ):  # seven columns are x y z intensity r g b: a label behind normals needs names
        text = "x y z nx ny nz label\n" + text
    shape = _load(tmp_path, name, text)
    assert shape.kind == "cloud"
    assert np.allclose(shape.points, _XYZ)
    assert (shape.normals is not None, shape.colors is not None) == (normals, colors)
    if normals:
        assert np.allclose(shape.normals, _UNIT, atol=1e-5)
    if colors:
        assert np.allclose(shape.colors, _RGB / 255, atol=1e-5)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("1 2\n3 4\n", "2 columns"),
        ("1 2 3\n4 5\n", "line 2 has 2 columns"),
        ("some words here\nand more words\n", "text, not numbers"),
        ("x y z\n", "no rows"),
        ("# nothing\n", "empty"),
        ("nan nan nan\n", "text|finite"),
    ],
)
def test_tables_refused(tmp_path, text, cause):
    with pytest.raises(InputError, match=cause):
        _load(tmp_path, "a.xyz", text)


def test_bad_points_stay_in_place(tmp_path):
    with pytest.warns(ShapeWarning, match="2 of 4 points"):
        shape = _load(tmp_path, "a.xyz", "0 0 0\nnan 1 1\n2 2 2\n1 inf 1\n")
    assert shape.points.tolist() == [[0, 0, 0], [1, 1, 1], [2, 2, 2], [1, 1, 1]]


def test_far_away_points_keep_their_shape(tmp_path):
    points = np.array([5e6, 4e5, 200]) + _XYZ * 0.01
    shape = _load(tmp_path, "a.xyz", "".join("{:.6f} {:.6f} {:.6f}\n".format(*p) for p in points))
    assert np.allclose(shape.transform.apply(shape.points), points, atol=1e-6)


def _npz(**arrays) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def _npy(array) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def test_numpy_files(tmp_path):
    assert np.allclose(_load(tmp_path, "a.npy", _npy(_XYZ)).points, _XYZ)
    both = _load(tmp_path, "a.npy", _npy(np.concatenate([_XYZ, _UNIT], 1).astype(np.float32)))
    assert np.allclose(both.normals, _UNIT)
    fortran = _load(tmp_path, "a.npy", _npy(np.asfortranarray(_XYZ)))
    assert np.allclose(fortran.points, _XYZ)
    cloud = _load(tmp_path, "a.npz", _npz(points=_XYZ, normals=_UNIT, colors=_RGB, labels=np.arange(40)))
    assert np.allclose(cloud.colors, _RGB / 255) and np.allclose(cloud.normals, _UNIT)
    assert np.allclose(_load(tmp_path, "a.npz", _npz(arr_0=_XYZ)).points, _XYZ)
    mesh = _load(tmp_path, "a.npz", _npz(vertices=_CORNERS, faces=np.array([[0, 1, 2], [0, 2, 3]])))
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3]]


def test_numpy_files_refused(tmp_path):
    for name, data, cause in (
        ("a.npy", _npy(np.array([{"a": 1}])), "pickled"),
        ("a.npz", _npz(points=np.array([[None] * 3])), "pickled"),
        ("a.npy", _npy(np.zeros((3, 2))), "n, 3"),
        ("a.npy", _npy(_XYZ)[:-8], "more numbers than the file holds"),
        ("a.npz", _npz(vertices=_CORNERS, faces=np.zeros((2, 3))), "whole numbers"),
        ("a.npz", _npz(points=_XYZ, normals=_UNIT[:5]), "40 points but 5 normals"),
        ("a.npz", _npz(a=_XYZ, b=_XYZ), "no array"),
        ("a.npz", b"PK\x03\x04 not a zip", "not a readable NPZ"),
    ):
        with pytest.raises(InputError, match=cause):
            _load(tmp_path, name, data)


def test_a_zip_that_unfolds_without_end_is_refused(tmp_path):
    stream = io.BytesIO()
    head = _npy(np.zeros((0, 3)))[:128].replace(b"(0, 3)", b"(9, 3)")
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("points.npy", head)
    data = stream.getvalue()
    size = len(head).to_bytes(4, "little")
    with pytest.raises(InputError, match=r"larger than 4 GiB|not a readable|more numbers"):
        _load(tmp_path, "a.npz", data.replace(size, b"\xfe\xff\xff\xff"))


# splat containers


def test_splat_records(tmp_path):
    rows = np.zeros(4, [("p", "<f4", 3), ("s", "<f4", 3), ("c", "u1", 4), ("r", "u1", 4)])
    rows["p"], rows["c"] = _XYZ[:4], 51
    shape = _load(tmp_path, "a.splat", rows.tobytes())
    assert shape.kind == "splats"
    assert np.allclose(shape.points, _XYZ[:4])
    assert np.allclose(shape.colors, 0.2)
    with pytest.raises(InputError, match="whole number"):
        _load(tmp_path, "a.splat", rows.tobytes()[:-1])


def test_spz(tmp_path):
    points = np.round(_XYZ * 4096).astype(int)
    coded = b"".join(int(x).to_bytes(4, "little", signed=True)[:3] for x in points.ravel())
    head = b"NGSP" + (2).to_bytes(4, "little") + (40).to_bytes(4, "little") + bytes([0, 12, 0, 0])
    body = coded + b"\x80" * 40 + b"\xff" * 120 + b"\0" * 240
    shape = _load(tmp_path, "a.spz", gzip.compress(head + body))
    assert np.array_equal(shape.points, (points / 4096).astype(np.float32))
    assert (shape.colors == 1).all()
    with pytest.raises(InputError, match="ends before"):
        _load(tmp_path, "a.spz", gzip.compress(head + body[:300]))
    huge = head[:8] + (2**32 - 1).to_bytes(4, "little") + head[12:]
    with pytest.raises(InputError, match="4,294,967,295 splats"):
        _load(tmp_path, "a.spz", gzip.compress(huge + body))
    with pytest.raises(InputError, match="version 9"):
        _load(tmp_path, "a.spz", gzip.compress(b"NGSP\x09" + head[5:] + body))


# which format


def test_the_first_bytes_win_over_the_suffix(tmp_path):
    off = "OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n"
    for name in ("a.obj", "a.stl", "a.unknown", "a"):
        assert _load(tmp_path, name, off).n_elements == 1
    assert _load(tmp_path, "A.OFF", off).n_elements == 1
    with pytest.raises(InputError, match="not a PLY file"):
        _load(tmp_path, "a.ply", "just words\n")


def test_kinds(tmp_path):
    off = "OFF\n4 1 0\n0 0 0\n1 0 0\n0 1 0\n5 5 5\n3 0 1 2\n"
    assert _load(tmp_path, "a.off", off, kind="mesh").is_mesh
    cloud = _load(tmp_path, "a.off", off, kind="cloud")
    assert (cloud.kind, cloud.n_elements) == ("cloud", 4)
    with pytest.raises(InputError, match="holds a mesh, not splats"):
        _load(tmp_path, "a.off", off, kind="splats")
    with pytest.raises(InputError, match="holds cloud, not mesh"):
        _load(tmp_path, "a.xyz", "0 0 0\n", kind="mesh")


def test_what_is_no_file(tmp_path):
    for path, cause in ((tmp_path, "folder"), (tmp_path / "gone.obj", "no such file"), ("a\0b.obj", "read|no such")):
        with pytest.raises(InputError, match=cause):
            load_shape(path)
    with pytest.raises(InputError, match="empty"):
        _load(tmp_path, "a.obj", "")
    with pytest.raises(InputError, match="format is not known"):
        _load(tmp_path, "a.docx", "words")
