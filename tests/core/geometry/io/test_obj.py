from __future__ import annotations

import warnings

import numpy as np
import pytest

from partseg.errors import InputError, ShapeWarning
from partseg.geometry.io import load_shape

_CUBE = "".join(f"v {x} {y} {z}\n" for x in (0, 1) for y in (0, 1) for z in (0, 1))


def _load(tmp_path, text: str | bytes, name: str = "a.obj"):
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return load_shape(path)


def test_faces_keep_the_files_order_across_materials_and_groups(tmp_path):
    rng = np.random.default_rng(0)
    faces = rng.integers(1, 9, (200, 3))
    names = rng.choice(["red", "blue", "green glass"], 200)
    (tmp_path / "a.mtl").write_text(
        "newmtl red\nKd 1 0 0\nnewmtl blue\nKd 0 0 1\nnewmtl green glass\nKd 0 1 0\nd 0.5\n"
    )
    lines = [f"usemtl {m}\ng {i % 7}\nf {a} {b} {c}\n" for i, (m, (a, b, c)) in enumerate(zip(names, faces))]
    shape = _load(tmp_path, "mtllib a.mtl\n" + _CUBE + "".join(lines))
    assert (shape.faces == faces - 1).all()
    look = shape.appearance
    assert [look.materials[m]["name"] for m in look.face_material] == list(names)
    assert [look.node_names[g] for g in look.face_node] == [str(i % 7) for i in range(200)]
    glass = next(m for m in look.materials if m["name"] == "green glass")
    assert glass["alphaMode"] == "BLEND"
    assert glass["pbrMetallicRoughness"]["baseColorFactor"] == [0, 1, 0, 0.5]
    assert shape.colors[names == "red"].mean(0) == pytest.approx([1, 0, 0])


def test_polygons_map_back_to_the_lines_of_the_file(tmp_path):
    shape = _load(tmp_path, _CUBE + "f 1 2 4 3\nf 1 2 6\nf 1 3\nf 5 6 8 7 3\n")
    assert shape.polygon.tolist() == [0, 0, 1, 3, 3, 3]
    assert shape.n_polygons == 4
    assert shape.to_file(np.array([5, 5, 6, 7, 7, 7])).tolist() == [5, 6, -1, 7]


def test_corner_forms_and_relative_indices(tmp_path):
    text = _CUBE + "vt 0 0\nvt 1 0.25\nvn 0 0 2\nf 1/1/1 2/2/1 3//1\nf -8 -7/-1 4/2\nf 5// 6/ 7\n"
    shape = _load(tmp_path, text)
    assert shape.faces.tolist() == [[0, 1, 2], [0, 1, 3], [4, 5, 6]]
    uv = shape.appearance.uv
    assert uv[0].tolist() == [[0, 1], [1, 0.75], [0, 0]]  # v is turned over, absent corners are 0
    assert uv[1, 1:].tolist() == [[1, 0.75], [1, 0.75]]
    assert shape.appearance.corner_normals[0].tolist() == [[0, 0, 1]] * 3
    assert not shape.appearance.corner_normals[1:].any()


def test_relative_indices_count_from_the_line_they_stand_on(tmp_path):
    block = "v {0} 0 0\nv {0} 1 0\nv {0} 0 1\nf -3 -2 -1\n"
    shape = _load(tmp_path, "".join(block.format(i) for i in range(50)))
    assert (shape.faces == np.arange(150).reshape(-1, 3)).all()


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_layout_does_not_matter(tmp_path, end):
    text = end.join(
        [
            "\ufeff# comment",
            "  v 0 0 0 # first",
            "\tv 1 0 0",
            "v  0\t1  0  ",
            "",
            "vp 1",
            "f 1 2 \\",
            " 3",
            "l 1 2",
            "end",
        ]
    )
    shape = _load(tmp_path, text)
    assert shape.faces.tolist() == [[0, 1, 2]]
    assert shape.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]


def test_vertex_colors(tmp_path):
    shape = _load(tmp_path, "v 0 0 0 1 0 0\nv 1 0 0 0 1 0\nv 0 1 0 0 0 1\nv 1 1 1 nan nan nan\nf 1 2 3\nf 1 2 4\n")
    assert shape.appearance.corner_colors[0, :, :3].tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    assert shape.colors[0] == pytest.approx([1 / 3] * 3, abs=0.01)
    cloud = _load(tmp_path, "v 0 0 0 255 0 0\nv 1 0 0 0 51 0\n")
    assert cloud.kind == "cloud"
    assert cloud.colors.tolist() == pytest.approx(np.array([[1, 0, 0], [0, 0.2, 0]]))


def test_unusable_faces_stay_in_place(tmp_path):
    text = (
        "v 0 0 0\nv 1 0 0\nv 0 1 0\nv nan 0 0\nv inf 1 1\nv 2 1 1\n" + "f 1 2 3\nf 1 2 4\nf 5 4 5\nf 1 2 99\nf 2 3 6\n"
    )
    with pytest.warns(ShapeWarning, match=r"a\.obj: of 5 faces 1 use a missing vertex and 2 have NaN"):
        shape = _load(tmp_path, text)
    assert shape.n_elements == 5
    assert (shape.face_areas > 0).tolist() == [True, False, False, False, True]
    assert np.isfinite(shape.vertices).all()
    assert shape.bounds.tolist() == [[0, 0, 0], [2, 1, 1]]


def test_textures_only_from_the_files_own_folder(tmp_path):
    png = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
    (tmp_path / "secret.png").write_bytes(png)
    folder = tmp_path / "model"
    (folder / "maps").mkdir(parents=True)
    (folder / "maps" / "own map.png").write_bytes(png + b"own")
    (folder / "a.mtl").write_text(
        "newmtl a\nmap_Kd -o 1 1 1 maps\\own map.png\nnewmtl b\nmap_Kd ../secret.png\nnewmtl c\nmap_Kd C:/x/own.png\n"
    )
    text = "mtllib a.mtl\n" + _CUBE + "usemtl a\nf 1 2 3\nusemtl b\nf 1 2 3\nusemtl c\nf 1 2 3\n"
    with pytest.warns(ShapeWarning, match="secret"):
        shape = _load(folder, text)
    assert shape.appearance.images == (("image/png", png + b"own"),)
    textured = ["baseColorTexture" in m["pbrMetallicRoughness"] for m in shape.appearance.materials]
    assert textured == [True, False, False]


def test_missing_material_library(tmp_path):
    with pytest.warns(ShapeWarning, match=r"'gone\.mtl' not found"):
        shape = _load(tmp_path, "mtllib gone.mtl\n" + _CUBE + "usemtl x\nf 1 2 3\n")
    assert shape.appearance.materials == ()
    assert shape.appearance.face_material is None


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("f 1 2 3\n", "no vertices"),
        (_CUBE + "f 11 12 13\n", "does not exist"),
        (_CUBE + "f 1 2\n", "no faces with three corners"),
        ("v nan 0 0\nv 1 nan 0\nv 0 0 inf\nf 1 2 3\n", "finite"),
        ("v a b c\n", "finite"),
        (b"\x00\x01\x02\xff" * 99, "no vertices"),
    ],
)
def test_refused(tmp_path, text, cause):
    with pytest.raises(InputError, match=cause):
        _load(tmp_path, text)


def test_many_lines_agree_with_a_plain_loop(tmp_path):
    rng = np.random.default_rng(1)
    lines, vertices, faces = [], [], []
    for _ in range(3000):
        if rng.random() < 0.4 or len(vertices) < 3:
            vertices.append(np.round(rng.normal(size=3) * 10.0 ** rng.integers(-6, 7), 6))
            lines.append("v " + " ".join(repr(float(x)) for x in vertices[-1]))
        else:
            face = rng.integers(0, len(vertices), 3)
            faces.append(face)
            form = rng.integers(3)
            index = face + 1 if form else face - len(vertices)
            lines.append("f " + " ".join(f"{i}//{i}" if form == 2 else str(i) for i in index))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shape = _load(tmp_path, "\n".join(lines))
    assert (shape.vertices == np.array(vertices)).all()
    assert (shape.faces == np.array(faces)).all()
