"""Files cut short or with bytes changed: a valid shape or an `InputError`, whatever the format."""

from __future__ import annotations

import gzip
import io
import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partseg.errors import InputError
from partseg.geometry.io import load_shape, write_glb, write_ply
from partseg.geometry.shape import Shape

_VERTICES = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0.5, 0.2, 0], [0, 1, 1]])
_TEXT = "".join(f"{x} {y} {z}\n" for x, y, z in _VERTICES)
_PLY = (
    "ply\nformat {} 1.0\nelement vertex 5\nproperty float x\nproperty float y\nproperty float z\n"
    "element face 3\nproperty list uchar int vertex_indices\nproperty uchar red\nend_header\n"
)


def _samples(folder: Path) -> dict[str, bytes]:
    """A small file of every format."""
    polygons = ([0, 1, 2, 3], [0, 1, 4], [4, 3, 2, 1, 0])
    shape = Shape.from_mesh(_VERTICES, [[0, 1, 2], [0, 2, 4]])
    write_glb(folder / "a.glb", shape, [("root", -1, None), ("left", 0, np.array([0])), ("right", 0, np.array([1]))])
    write_ply(folder / "t.ply", shape, np.zeros(2, int), np.zeros((1, 3), np.uint8))
    out = {"a.glb": (folder / "a.glb").read_bytes(), "t.ply": (folder / "t.ply").read_bytes()}
    size = int.from_bytes(out["a.glb"][12:16], "little")
    document = json.loads(out["a.glb"][20 : 20 + size])
    document["buffers"][0]["uri"] = "data.bin"
    (folder / "data.bin").write_bytes(out["a.glb"][28 + size :])
    out["a.gltf"] = json.dumps(document).encode()
    obj = "".join(f"v {line}\n" for line in _TEXT.splitlines())
    obj += "vt 0 0\nvn 0 0 1\nusemtl a\no b\nf 1/1/1 2//1 3 4\nf -1 -2 -3\n"
    out["a.obj"] = obj.encode()
    faces = "".join(" ".join(map(str, [len(p), *p])) + "\n" for p in polygons)
    out["a.off"] = f"OFF\n5 3 0\n{_TEXT}{faces}".encode()
    out["ascii.ply"] = (_PLY.format("ascii") + _TEXT + faces.replace("\n", " 7\n")).encode()
    for order, name in (("<", "little"), (">", "big")):
        body = _VERTICES.astype(order + "f4").tobytes()
        body += b"".join(bytes([len(p)]) + np.array(p, order + "i4").tobytes() + b"\x07" for p in polygons)
        out[f"{name}.ply"] = _PLY.format(f"binary_{name}_endian").encode() + body
    rows = np.zeros(2, [("n", "<f4", 3), ("c", "<f4", (3, 3)), ("a", "<u2")])
    rows["c"] = _VERTICES[[[0, 1, 2], [0, 2, 4]]]
    out["a.stl"] = b" " * 80 + (2).to_bytes(4, "little") + rows.tobytes()
    loop = (
        "facet normal 0 0 1\nouter loop\n"
        + "".join(f"vertex {v}\n" for v in _TEXT.splitlines()[:3])
        + "endloop\nendfacet\n"
    )
    out["ascii.stl"] = f"solid a\n{loop}endsolid a\nsolid b\n{loop}endsolid b\n".encode()
    out["a.xyz"], out["a.csv"] = _TEXT.encode(), ("x,y,z\n" + _TEXT.replace(" ", ",")).encode()
    for name, save in (
        ("a.npy", np.save),
        ("a.npz", lambda f, a: np.savez(f, vertices=a, faces=np.array([[0, 1, 2]]))),
    ):
        stream = io.BytesIO()
        save(stream, _VERTICES)
        out[name] = stream.getvalue()
    out["a.splat"] = np.random.default_rng(0).random(16).astype("<f4").tobytes()
    head = b"NGSP" + (2).to_bytes(4, "little") + (2).to_bytes(4, "little") + bytes([0, 12, 0, 0])
    out["a.spz"] = gzip.compress(head + bytes(range(40)), mtime=0)
    return out


_NAMES = ["a.glb", "a.gltf", "a.obj", "a.off", "t.ply", "ascii.ply", "little.ply", "big.ply", "a.stl", "ascii.stl",
          "a.xyz", "a.csv", "a.npy", "a.npz", "a.splat", "a.spz"]  # fmt: skip


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("samples")
    return folder, _samples(folder)


def _is_shape_or_input_error(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", UserWarning)  # ours; numpy's would be errors
        try:
            shape = load_shape(path)
        except InputError as error:
            assert len(str(error)) < 500  # noqa: PT017
            return
    assert np.isfinite(shape.points).all()
    assert shape.n_elements > 0


@pytest.mark.parametrize("name", _NAMES)
def test_whole_files_are_read(samples, name):
    folder, files = samples
    (folder / name).write_bytes(files[name])
    assert load_shape(folder / name).n_elements >= 2 or name == "a.npz"


@pytest.mark.parametrize("name", _NAMES)
def test_cut_short(samples, name):
    folder, files = samples
    data = files[name]
    for end in sorted({*range(0, len(data), max(1, len(data) // 150)), *range(max(0, len(data) - 20), len(data))}):
        _is_shape_or_input_error(folder / name, data[:end])


@pytest.mark.parametrize("name", ["a.glb", "t.ply", "little.ply", "big.ply", "a.stl", "a.npy", "a.splat"])
def test_binary_bodies_cut_short_are_refused(samples, name):
    folder, files = samples
    for missing in (1, 2, 5, 9):
        (folder / name).write_bytes(files[name][:-missing])
        with pytest.raises(InputError):
            load_shape(folder / name)


@pytest.mark.parametrize("name", _NAMES)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_changed_bytes(samples, name, data):
    folder, files = samples
    content = bytearray(files[name])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.one_of(st.integers(0, 255), st.sampled_from(b'-09 \n/.{}[]"ne\xff\0')))
    _is_shape_or_input_error(folder / name, bytes(content))


@pytest.mark.parametrize("suffix", sorted({Path(name).suffix for name in _NAMES}))
@settings(max_examples=20, deadline=None)
@given(content=st.one_of(st.binary(max_size=300), st.text(max_size=200).map(str.encode)))
def test_anything_at_all(tmp_path_factory, suffix, content):
    _is_shape_or_input_error(tmp_path_factory.getbasetemp() / f"any{suffix}", content)
