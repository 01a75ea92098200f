from __future__ import annotations

import numpy as np
import pytest

from partseg.errors import InputError
from partseg.geometry.io import load_shape

_VERTICES = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0.5, 0.5, 1]])
_POLYGONS = [[0, 1, 2, 3], [0, 1, 4], [1, 2, 4], [3, 2, 1, 0, 4]]
_ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}


def _ply(form: str, polygons: list, colors: bool = False, index: str = "vertex_indices") -> bytes:
    """Vertices with an element of unknown kind before and a list that nobody asks for beside the faces."""
    order = _ORDERS[form]
    head = ["ply", f"format {form} 1.0", "comment made here", "element odd 2", "property short a"]
    head += ["property list uint8 double b", "element vertex 5", "property double x", "property float y"]
    head += ["property float32 z"] + ([f"property uchar {c}" for c in ("red", "green", "blue")] if colors else [])
    head += [f"element face {len(polygons)}", "property uchar flag", f"property list ushort int {index}"]
    head += ["property list uchar float extra", "end_header", ""]
    rows: list[list[tuple[str, object]]] = [[("i2", -3), ("u1", 0)], [("i2", 7), ("u1", 2), ("f8", 0.5), ("f8", 0.25)]]
    for i, (x, y, z) in enumerate(_VERTICES):
        paint = [("u1", 10 * i), ("u1", 0), ("u1", 255)] if colors else []
        rows.append([("f8", x), ("f4", y), ("f4", z), *paint])
    for k, p in enumerate(polygons):
        extra = [("u1", k % 3), *[("f4", 1.5)] * (k % 3)]
        rows.append([("u1", 9), ("u2", len(p)), *[("i4", i) for i in p], *extra])
    text = "\n".join(head).encode()
    if not order:
        return text + b"".join(b" ".join(str(v).encode() for _, v in row) + b"\n" for row in rows)
    return text + b"".join(np.array(v, order + t).tobytes() for row in rows for t, v in row)


@pytest.mark.parametrize("form", _ORDERS)
@pytest.mark.parametrize("index", ["vertex_indices", "vertex_index"])
def test_polygons_in_every_form(tmp_path, form, index):
    path = tmp_path / "a.ply"
    path.write_bytes(_ply(form, _POLYGONS, index=index))
    shape = load_shape(path)
    assert np.allclose(shape.vertices, _VERTICES)
    assert shape.polygon.tolist() == [0, 0, 1, 2, 3, 3, 3]
    for k, polygon in enumerate(_POLYGONS):
        assert set(shape.faces[shape.polygon == k].ravel()) == set(polygon)
    assert shape.faces[2:4].tolist() == _POLYGONS[1:3]


@pytest.mark.parametrize("form", _ORDERS)
def test_colors(tmp_path, form):
    path = tmp_path / "a.ply"
    path.write_bytes(_ply(form, [[0, 1, 2], [2, 3, 4]], colors=True))
    shape = load_shape(path)
    assert shape.polygon is None
    assert shape.appearance.corner_colors[1].tolist() == [[20, 0, 255, 255], [30, 0, 255, 255], [40, 0, 255, 255]]


@pytest.mark.parametrize("form", _ORDERS)
def test_no_faces_is_a_cloud(tmp_path, form):
    path = tmp_path / "a.ply"
    path.write_bytes(_ply(form, [], colors=True))
    shape = load_shape(path)
    assert shape.kind == "cloud"
    assert np.allclose(shape.points, _VERTICES)
    assert shape.colors[:, 0] == pytest.approx(np.arange(5) * 10 / 255)


def test_strips_normals_and_float_colors(tmp_path):
    text = (
        "ply\nformat ascii 1.0\nelement vertex 4\nproperty float x\nproperty float y\nproperty float z\n"
        "property float nx\nproperty float ny\nproperty float nz\n"
        "property float red\nproperty float green\nproperty float blue\n"
        "element tristrips 1\nproperty list int int vertex_indices\nend_header\n"
        "0 0 0 0 0 1 1 0 0\n1 0 0 0 0 1 1 0 0\n0 1 0 0 0 1 1 0 0\n1 1 0 0 0 1 1 0.5 0\n7 0 1 2 3 -1 1 2\n"
    )
    (tmp_path / "a.ply").write_text(text)
    shape = load_shape(tmp_path / "a.ply")
    assert shape.faces.tolist() == [[0, 1, 2], [2, 1, 3]]
    assert shape.appearance.corner_colors[1, 2].tolist() == [255, 128, 0, 255]
    assert (shape.appearance.corner_normals == [0, 0, 1]).all()


def test_big_uniform_and_ragged_bodies_agree(tmp_path):
    rng = np.random.default_rng(0)
    vertices = rng.normal(size=(500, 3)).astype("<f4")
    faces = rng.integers(0, 500, (900, 3)).astype("<i4")
    head = "ply\nformat binary_little_endian 1.0\nelement vertex 500\n"
    head += "property float x\nproperty float y\nproperty float z\n"
    head += "element face {}\nproperty list uchar int vertex_indices\nend_header\n"
    rows = np.zeros(900, [("n", "u1"), ("i", "<i4", 3)])
    rows["n"], rows["i"] = 3, faces
    quad = b"\x04" + np.array([0, 1, 2, 3], "<i4").tobytes()
    (tmp_path / "a.ply").write_bytes(head.format(900).encode() + vertices.tobytes() + rows.tobytes())
    (tmp_path / "b.ply").write_bytes(head.format(901).encode() + vertices.tobytes() + rows.tobytes() + quad)
    one, other = load_shape(tmp_path / "a.ply"), load_shape(tmp_path / "b.ply")
    assert (one.faces == faces).all()
    assert (other.faces[:900] == faces).all()
    assert one.n_elements == 900
    assert other.n_elements == 902
    assert other.n_polygons == 901


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("hello, I am a text file\n", "not a PLY file"),
        ("ply\nformat ascii 1.0\n", "no end"),
        ("ply\nformat martian 1.0\nend_header\n", "makes no sense"),
        ("ply\nelement vertex 3\nend_header\n", "no format"),
        ("ply\nformat ascii 1.0\nelement vertex -3\nend_header\n", "makes no sense"),
        ("ply\nformat ascii 1.0\nproperty float x\nend_header\n", "makes no sense"),
        ("ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nend_header\n0\n", "no vertex element with x, y"),
    ],
)
def test_refused(tmp_path, text, cause):
    (tmp_path / "a.ply").write_text(text)
    with pytest.raises(InputError, match=cause):
        load_shape(tmp_path / "a.ply")


@pytest.mark.parametrize("form", _ORDERS)
def test_enormous_counts_are_refused_before_anything_is_allocated(tmp_path, form):
    for element, properties in (("vertex", "property float x\nproperty float y\nproperty float z\n"),
                                ("face", "property list uchar int vertex_indices\n"),
                                ("face", "property list uint double vertex_indices\n")):  # fmt: skip
        head = f"ply\nformat {form} 1.0\nelement {element} 353535235358\n{properties}end_header\n"
        (tmp_path / "a.ply").write_bytes(head.encode() + b"\xff" * 64)
        with pytest.raises(InputError, match="353,535,235,358"):
            load_shape(tmp_path / "a.ply")


def test_splats_in_four_containers_agree(test_data):
    folder = test_data("gaussian_splats") / "metalsplatter"
    name = "test-splat.3-points-from-train"
    ply, splat, spz = (load_shape(folder / f"{name}.{suffix}") for suffix in ("ply", "splat", "spz"))
    assert {s.kind for s in (ply, splat, spz)} == {"splats"}
    assert np.allclose(ply.points, splat.points)
    # spz turns y and z against the PLY it was made from, and keeps 12 bits behind the point
    assert np.allclose(np.abs(ply.points), np.abs(spz.points), atol=2**-12)
    assert np.allclose(ply.colors, splat.colors, atol=0.005)
    assert np.allclose(ply.colors, spz.colors, atol=0.01)


def test_packed_splats_stay_in_their_chunks(test_data):
    path = test_data("gaussian_splats") / "playcanvas" / "guitar.compressed.ply"
    shape = load_shape(path)
    assert (shape.kind, shape.n_elements) == ("splats", 90854)
    body = path.read_bytes().split(b"end_header\n", 1)[1]
    chunks = np.frombuffer(body, "<f4", 355 * 18).reshape(355, 18)
    owner = np.arange(90854) // 256
    assert (shape.points >= chunks[owner, :3] - 1e-6).all()
    assert (shape.points <= chunks[owner, 3:6] + 1e-6).all()
    first = np.frombuffer(body, "<u4", 1, offset=355 * 72)[0]
    unit = np.array([first >> 21, (first >> 11) & 1023, first & 2047]) / [2047, 1023, 2047]
    assert np.allclose(shape.points[0], chunks[0, :3] + unit * (chunks[0, 3:6] - chunks[0, :3]), atol=1e-6)
    assert shape.colors.min() >= 0
    assert shape.colors.std() > 0.05
    assert load_shape(path, kind="cloud").kind == "cloud"
    with pytest.raises(InputError, match="holds splats, not mesh"):
        load_shape(path, kind="mesh")
