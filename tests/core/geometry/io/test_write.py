from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from partseg.errors import InputError
from partseg.geometry.io import load_shape, read_glb_parts, write_glb, write_ply
from partseg.geometry.shape import Appearance, Shape


def _document(path) -> dict:
    data = path.read_bytes()
    return json.loads(data[20 : 20 + int.from_bytes(data[12:16], "little")])


def _shape(n: int = 60, seed: int = 0, look: bool = True) -> Shape:
    rng = np.random.default_rng(seed)
    vertices = rng.normal(size=(n // 2, 3)).astype(np.float32)
    faces = rng.integers(0, len(vertices), (n, 3))
    appearance = None
    if look:
        unit = rng.normal(size=(len(vertices), 3))
        unit /= np.linalg.norm(unit, axis=1, keepdims=True)
        slot = {"image": 1, "sampler": {"wrapS": 33071}}
        appearance = Appearance(
            materials=(
                {"name": "unused", "emissiveTexture": {"image": 0}},
                {"name": "a", "pbrMetallicRoughness": {"baseColorFactor": [1, 0, 0, 1], "baseColorTexture": slot}},
                {"name": "b", "extensions": {"KHR_materials_ior": {"ior": 1.4}}},
            ),
            images=(("image/jpeg", b"\xff\xd8\xffjpeg"), ("image/png", b"\x89PNG\r\n\x1a\npng")),
            face_material=rng.choice([-1, 1, 2], n).astype(np.int32),
            uv=rng.random((len(vertices), 2)).astype(np.float32)[faces],
            corner_normals=unit.astype(np.float32)[faces],
            corner_colors=rng.integers(0, 256, (n, 3, 4)).astype(np.uint8),
        )
    return Shape.from_mesh(vertices, faces, appearance=appearance)


def _nodes(labels: np.ndarray, depth: int = 2) -> list:
    chain = [(f"level {i}", i - 1, None) for i in range(depth)]
    parts = [(f"part {k}", k % depth, np.flatnonzero(labels == k)) for k in range(labels.max(initial=0) + 1)]
    return chain + parts


def _corner_rows(shape: Shape) -> np.ndarray:
    """Everything that the corners of a triangle carry, one row each, in an order free of the file's."""
    look = shape.appearance
    count = shape.n_elements
    exact = [shape.transform.apply(shape.vertices)[shape.faces].astype(np.float32).reshape(count, -1)]
    if look is None:
        return exact[0][np.lexsort(exact[0].T)]
    exact += [a.reshape(count, -1) for a in (look.uv, look.corner_colors) if a is not None]
    if look.face_material is None:
        exact.append(np.zeros((count, 1)))
    else:
        names = np.array([sum(map(ord, str(m["name"]))) for m in look.materials] + [0])
        exact.append(names[look.face_material][:, None])
    rows = np.concatenate(exact, axis=1)
    order = np.lexsort(rows.T)
    if look.corner_normals is not None:  # made unit again on reading: equal to a rounding
        rows = np.concatenate([rows, np.round(look.corner_normals.reshape(count, -1), 5) + 0.0], axis=1)
    return rows[order]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 80), st.integers(1, 6), st.integers(0, 10**6), st.booleans())
def test_nothing_is_lost(tmp_path_factory, n, parts, seed, look):
    path = tmp_path_factory.mktemp("glb") / "a.glb"
    shape = _shape(max(n, 4), seed, look)
    labels = np.random.default_rng(seed).integers(0, parts, shape.n_elements)
    write_glb(path, shape, _nodes(labels))
    found = read_glb_parts(path)
    assert found.names[:2] == ("level 0", "level 1")
    assert found.parents.tolist() == [node[1] for node in _nodes(labels)]
    for (_, _, expected), elements in zip(_nodes(labels), found.elements):
        assert (elements is None) == (expected is None or len(expected) == 0)
        assert elements is None or elements.tolist() == expected.tolist()
    again = load_shape(path)
    if look:
        assert np.allclose(_corner_rows(again), _corner_rows(shape), atol=2e-5)
    else:
        bare = Shape.from_mesh(again.vertices, again.faces)
        assert np.allclose(_corner_rows(bare), _corner_rows(shape))
    names = [name for name, _, e in _nodes(labels) if e is not None and len(e)]
    assert sorted(again.appearance.node_names) == sorted(names)


def test_each_part_has_its_own_triangles_in_the_files_order(tmp_path):
    shape = _shape(look=False)
    labels = np.arange(60) % 3
    write_glb(tmp_path / "a.glb", shape, _nodes(labels, depth=1))
    again = load_shape(tmp_path / "a.glb")
    for k in range(3):
        mine = again.appearance.face_node == again.appearance.node_names.index(f"part {k}")
        assert np.allclose(again.vertices[again.faces[mine]], shape.vertices[shape.faces[labels == k]])


def test_only_used_materials_images_and_extensions(tmp_path):
    shape = _shape()
    write_glb(tmp_path / "a.glb", shape, _nodes(np.zeros(60, int)))
    document = _document(tmp_path / "a.glb")
    assert [m["name"] for m in document["materials"]] == ["a", "b"]
    assert len(document["images"]) == len(document["textures"]) == len(document["samplers"]) == 1
    assert document["images"][0]["mimeType"] == "image/png"
    assert document["extensionsUsed"] == ["KHR_materials_ior"]


def test_colors_show_only_where_the_input_has_none(tmp_path):
    colors = np.array([[255, 0, 0], [0, 0, 255]], np.uint8)
    labels = np.arange(60) % 3
    path = tmp_path / "a.glb"
    write_glb(path, _shape(look=False), _nodes(labels), colors=colors)
    factors = [m["pbrMetallicRoughness"]["baseColorFactor"] for m in _document(path)["materials"]]
    assert factors[:2] == [[1, 0, 0, 1], [0, 0, 1, 1]]
    assert len(set(factors[2][:2])) == 1  # no colour given for the third part: grey
    write_glb(path, _shape(), _nodes(labels), colors=colors)
    assert {m["name"] for m in _document(path)["materials"]} == {"a", "b"}
    write_glb(path, _shape(), _nodes(labels), colors=colors, tint=True)
    assert [m["name"] for m in _document(path)["materials"]] == ["part 0", "part 1", "part 2"]
    assert "COLOR_0" not in json.dumps(_document(path))
    write_glb(path, _shape(look=False), _nodes(labels))
    factors = [tuple(m["pbrMetallicRoughness"]["baseColorFactor"]) for m in _document(path)["materials"]]
    assert len(set(factors)) == 3


def test_what_the_format_demands(tmp_path):
    """glTF 2.0, section 3: strides of shared views, bounds of positions, unit normals, aligned blocks, indices."""
    shape = _shape()
    normals = shape.appearance.corner_normals.copy()
    normals[::2] = 0
    faces = shape.faces.copy()
    faces[4] = faces[4, 0]  # no area, no normal
    look = replace(shape.appearance, corner_normals=normals)
    write_glb(tmp_path / "a.glb", Shape.from_mesh(shape.vertices, faces, appearance=look), _nodes(np.arange(60) % 4))
    document, data = _document(tmp_path / "a.glb"), (tmp_path / "a.glb").read_bytes()
    assert len(data) == int.from_bytes(data[8:12], "little")
    assert len(data) % 4 == 0
    body = data[28 + int.from_bytes(data[12:16], "little") :]
    assert len(body) == document["buffers"][0]["byteLength"]
    widths = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
    dtypes = {5126: "<f4", 5125: "<u4", 5123: "<u2"}

    def read(index: int) -> np.ndarray:
        accessor = document["accessors"][index]
        view = document["bufferViews"][accessor["bufferView"]]
        width, dtype = widths[accessor["type"]], np.dtype(dtypes[accessor["componentType"]])
        begin = view["byteOffset"] + accessor["byteOffset"]
        assert begin % 4 == 0
        assert accessor["byteOffset"] + accessor["count"] * width * dtype.itemsize <= view["byteLength"]
        assert view.get("byteStride", width * dtype.itemsize) == width * dtype.itemsize
        return np.frombuffer(body, dtype, accessor["count"] * width, begin).reshape(-1, width)

    for mesh in document["meshes"]:
        for primitive in mesh["primitives"]:
            attributes = primitive["attributes"]
            position = read(attributes["POSITION"])
            accessor = document["accessors"][attributes["POSITION"]]
            assert accessor["min"] == position.min(0).tolist()
            assert accessor["max"] == position.max(0).tolist()
            assert np.allclose(np.linalg.norm(read(attributes["NORMAL"]), axis=1), 1, atol=1e-5)
            assert {len(read(index)) for index in attributes.values()} == {len(position)}
            assert set(read(primitive["indices"]).ravel()) == set(range(len(position)))
            for index in attributes.values():
                assert "byteStride" in document["bufferViews"][document["accessors"][index]["bufferView"]]


def test_same_bytes_every_time(tmp_path):
    labels = np.arange(60) % 5
    for name in ("a.glb", "b.glb"):
        write_glb(tmp_path / name, _shape(), _nodes(labels))
    assert (tmp_path / "a.glb").read_bytes() == (tmp_path / "b.glb").read_bytes()


def test_far_from_the_origin_nothing_is_rounded_away(tmp_path):
    shape = _shape(look=False)
    far = Shape.from_mesh(shape.vertices * 0.1 + [4e6, -5e5, 100], shape.faces)
    write_glb(tmp_path / "a.glb", far, _nodes(np.arange(60) % 2))
    again = load_shape(tmp_path / "a.glb")
    assert np.allclose(
        np.sort(again.vertices[again.faces].sum(1), 0), np.sort(far.vertices[far.faces].sum(1), 0), atol=1e-6
    )
    write_ply(tmp_path / "a.ply", far, np.zeros(60, int), np.zeros((1, 3), np.uint8))
    assert np.array_equal(load_shape(tmp_path / "a.ply").vertices, far.vertices)


def test_normalised_shapes_are_written_in_the_files_coordinates(tmp_path):
    shape = _shape(look=False)
    nodes = _nodes(np.arange(60) % 2)
    write_glb(tmp_path / "a.glb", shape.normalized(), nodes)
    assert np.allclose(load_shape(tmp_path / "a.glb").bounds, shape.bounds, atol=1e-6)


@pytest.mark.parametrize("kind", ["cloud", "splats"])
@pytest.mark.parametrize("painted", [True, False])
def test_points(tmp_path, kind, painted):
    rng = np.random.default_rng(0)
    points, colors = rng.normal(size=(50, 3)).astype(np.float32), np.round(rng.random((50, 3)) * 255) / 255
    shape = Shape.from_points(points, colors=colors if painted else None, kind=kind)
    labels = rng.integers(0, 4, 50)
    write_glb(tmp_path / "a.glb", shape, _nodes(labels))
    again, order = load_shape(tmp_path / "a.glb"), np.argsort(labels - labels % 2 * 10, kind="stable")
    assert again.kind == "cloud"
    assert np.array_equal(again.points, points[order])
    assert (again.colors is not None) == painted
    if painted:
        assert np.allclose(again.colors, colors[order], atol=1e-6)
    found = read_glb_parts(tmp_path / "a.glb")
    assert [e.tolist() for e in found.elements[2:]] == [np.flatnonzero(labels == k).tolist() for k in range(4)]
    write_ply(tmp_path / "a.ply", shape, labels, np.zeros((4, 3), np.uint8))
    assert np.array_equal(load_shape(tmp_path / "a.ply").points, points)


def test_other_readers_see_the_same(tmp_path):
    shape = _shape()
    write_glb(tmp_path / "a.glb", shape, _nodes(np.arange(60) % 4))
    scene = trimesh.load_scene(tmp_path / "a.glb", process=False)
    assert scene.area == pytest.approx(shape.face_areas.sum(), rel=1e-5)
    assert np.allclose(scene.bounds, shape.bounds, atol=1e-6)
    assert set(scene.graph.nodes) >= {"level 0", "level 1", "part 0", "part 3"}


def test_ply(tmp_path):
    shape = _shape()
    labels = np.arange(60) % 4 - 1
    colors = np.array([[10, 20, 30], [40, 50, 60]], np.uint8)
    write_ply(tmp_path / "a.ply", shape, labels, colors)
    mesh = trimesh.load_mesh(tmp_path / "a.ply", process=False)
    assert np.array_equal(mesh.faces, shape.faces)
    assert mesh.visual.face_colors[1:4, :3].tolist() == [[10, 20, 30], [40, 50, 60], [205, 205, 208]]
    assert mesh.metadata["_ply_raw"]["face"]["data"]["part"].tolist() == labels.tolist()
    again = load_shape(tmp_path / "a.ply")
    assert np.array_equal(again.faces, shape.faces)
    assert again.appearance.corner_colors[1, 0].tolist() == [10, 20, 30, 255]


def test_mistakes_leave_no_file(tmp_path):
    shape = _shape()
    for nodes in ([], [("a", 0, None)], [("a", 1, None), ("b", 0, None)], [("a", -1, [60])], [("a", -1, [-1])],
                  [("a", 7, None)]):  # fmt: skip
        with pytest.raises(ValueError):
            write_glb(tmp_path / "a.glb", shape, nodes)
    with pytest.raises(ValueError):
        write_ply(tmp_path / "a.ply", shape, np.zeros(3, int), np.zeros((1, 3)))
    (tmp_path / "file").write_text("x")
    for nodes in ([("empty", -1, None)], _nodes(np.zeros(60, int))):
        with pytest.raises(InputError, match="cannot be written"):
            write_glb(tmp_path / "file" / "a.glb", shape, nodes)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file"]


def test_parts_of_a_foreign_file(test_data):
    with pytest.raises(InputError, match="does not say which part"):
        read_glb_parts(test_data("gltf_parts") / "alien.glb")


def test_a_textured_model_looks_the_same_afterwards(test_data, tmp_path):
    path = test_data("gltf_parts") / "FlightHelmet" / "FlightHelmet.gltf"
    shape = load_shape(path)
    labels = (shape.points[:, 1] > np.median(shape.points[:, 1])).astype(int)
    write_glb(tmp_path / "a.glb", shape, _nodes(labels))
    again = load_shape(tmp_path / "a.glb")
    assert again.n_elements == shape.n_elements
    assert sorted(data for _, data in again.appearance.images) == sorted(data for _, data in shape.appearance.images)
    by_name = {m["name"]: m for m in again.appearance.materials}
    for material in shape.appearance.materials:
        ours = by_name[material["name"]]
        assert ours.keys() == material.keys()
        for slot in ("normalTexture", "occlusionTexture"):
            if slot in material:
                assert again.appearance.images[ours[slot]["image"]] == shape.appearance.images[material[slot]["image"]]
                assert ours[slot].get("sampler") == material[slot].get("sampler")
    assert np.allclose(_corner_rows(again), _corner_rows(shape), atol=2e-5)
