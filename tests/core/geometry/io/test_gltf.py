from __future__ import annotations

import base64
import json
import struct

import numpy as np
import pytest
import trimesh

from partseg.errors import InputError, ShapeWarning
from partseg.geometry.io import load_shape

_TYPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4"}
_CODES = {"float32": 5126, "uint32": 5125, "uint16": 5123, "int16": 5122, "uint8": 5121, "int8": 5120}
_TRIANGLE = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)


class _Builder:
    """A glTF document put together array by array."""

    def __init__(self) -> None:
        self.document: dict = {
            "asset": {"version": "2.0"},
            "accessors": [],
            "bufferViews": [],
            "meshes": [],
            "nodes": [],
        }
        self.data = b""

    def view(self, data: bytes) -> int:
        self.data += b"\0" * (-len(self.data) % 4)
        self.document["bufferViews"].append({"buffer": 0, "byteOffset": len(self.data), "byteLength": len(data)})
        self.data += data
        return len(self.document["bufferViews"]) - 1

    def array(self, array, dtype: str = "float32", **more) -> int:
        array = np.asarray(array, dtype)
        width = 1 if array.ndim == 1 else array.shape[1]
        entry = {"bufferView": self.view(array.tobytes()), "componentType": _CODES[dtype], "count": len(array)}
        self.document["accessors"].append({**entry, "type": _TYPES[width], **more})
        return len(self.document["accessors"]) - 1

    def mesh(self, positions=_TRIANGLE, indices=None, mode: int | None = None, name: str = "", **attributes) -> int:
        primitive: dict = {"attributes": {"POSITION": self.array(positions)} | attributes}
        if indices is not None:
            primitive["indices"] = self.array(indices, "uint16")
        if mode is not None:
            primitive["mode"] = mode
        self.document["meshes"].append({"primitives": [primitive], **({"name": name} if name else {})})
        return len(self.document["meshes"]) - 1

    def node(self, **fields) -> int:
        self.document["nodes"].append(fields)
        return len(self.document["nodes"]) - 1

    def glb(self, path):
        self.document["buffers"] = [{"byteLength": len(self.data)}]
        text = json.dumps(self.document).encode()
        text += b" " * (-len(text) % 4)
        data = self.data + b"\0" * (-len(self.data) % 4)
        total = 12 + 8 + len(text) + 8 + len(data)
        path.write_bytes(
            struct.pack("<4sII", b"glTF", 2, total)
            + struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(data), b"BIN\0") + data
        )  # fmt: skip
        return path


def _world(shape) -> np.ndarray:
    return shape.vertices[shape.faces]


def test_transforms_multiply_down_the_tree(tmp_path):
    b = _Builder()
    mesh = b.mesh(name="tri")
    turn = [0, 0, np.sqrt(0.5), np.sqrt(0.5)]  # a quarter about z
    leaf = b.node(mesh=mesh, translation=[1, 0, 0])
    middle = b.node(children=[leaf], rotation=turn, scale=[2, 2, 2], mesh=mesh, name="middle")
    matrix = np.eye(4)
    matrix[:3, 3] = [10, 20, 30]
    b.node(children=[middle], matrix=matrix.T.ravel().tolist())
    shape = load_shape(b.glb(tmp_path / "a.glb"))
    rotation = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    expected = [2 * _TRIANGLE @ rotation.T + [10, 20, 30], 2 * (_TRIANGLE + [1, 0, 0]) @ rotation.T + [10, 20, 30]]
    assert np.allclose(_world(shape), expected)
    assert shape.appearance.node_names == ("middle", "tri")
    assert shape.appearance.face_node.tolist() == [0, 1]


def test_mirrored_nodes_are_wound_back(tmp_path):
    b = _Builder()
    normals = b.array([[0, 0, 1]] * 3)
    mesh = b.mesh(NORMAL=normals)
    b.node(mesh=mesh)
    b.node(mesh=mesh, scale=[-1, 1, 1])
    b.node(mesh=mesh, scale=[1, 1, -1])
    shape = load_shape(b.glb(tmp_path / "a.glb"))
    assert np.allclose(shape.face_normals, [[0, 0, 1], [0, 0, 1], [0, 0, -1]])
    assert np.allclose(shape.appearance.corner_normals, shape.face_normals[:, None])


def test_instances(tmp_path):
    b = _Builder()
    mesh = b.mesh()
    for i in range(5):
        b.node(mesh=mesh, translation=[i, 0, 0], name=f"n{i}")
    shape = load_shape(b.glb(tmp_path / "a.glb"))
    assert np.allclose(_world(shape)[:, 0, 0], range(5))
    offsets = {"TRANSLATION": b.array([[0, 0, 1], [0, 0, 2]])}
    b.document["nodes"] = [{"mesh": mesh, "extensions": {"EXT_mesh_gpu_instancing": {"attributes": offsets}}}]
    assert np.allclose(_world(load_shape(b.glb(tmp_path / "a.glb")))[:, 0, 2], [1, 2])


@pytest.mark.parametrize(
    ("mode", "indices", "expected"),
    [
        (None, [0, 1, 2, 2, 1, 3], [[0, 1, 2], [2, 1, 3]]),
        (None, None, [[0, 1, 2]]),  # the fourth vertex makes no triangle
        (5, [0, 1, 2, 3], [[0, 1, 2], [2, 1, 3]]),
        (5, None, [[0, 1, 2], [2, 1, 3]]),
        (6, [0, 1, 3, 2], [[0, 1, 3], [0, 3, 2]]),
    ],
)
def test_primitive_modes(tmp_path, mode, indices, expected):
    b = _Builder()
    b.node(mesh=b.mesh(np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]]), indices, mode))
    assert load_shape(b.glb(tmp_path / "a.glb")).faces.tolist() == expected


def test_points_are_a_cloud_unless_there_are_triangles(tmp_path):
    b = _Builder()
    colors = b.array([[255, 0, 0, 255], [0, 255, 0, 255], [0, 0, 255, 255]], "uint8", normalized=True)
    b.node(mesh=b.mesh(mode=0, COLOR_0=colors), translation=[0, 0, 5])
    b.node(mesh=b.mesh(mode=1))  # lines
    shape = load_shape(b.glb(tmp_path / "a.glb"))
    assert shape.kind == "cloud"
    assert np.allclose(shape.points, _TRIANGLE + [0, 0, 5])
    assert np.allclose(shape.colors, np.eye(3))
    b.node(mesh=b.mesh())
    assert load_shape(b.glb(tmp_path / "a.glb")).n_elements == 1


def test_sparse_interleaved_and_quantised_accessors(tmp_path):
    b = _Builder()
    rows = np.zeros(3, [("p", "<f4", 3), ("uv", "<u2", 2), ("pad", "<u4")])
    rows["p"], rows["uv"] = _TRIANGLE, [[0, 0], [65535, 0], [0, 65535]]
    view = b.view(rows.tobytes())
    b.document["bufferViews"][view]["byteStride"] = rows.itemsize
    b.document["accessors"] += [
        {"bufferView": view, "componentType": 5126, "count": 3, "type": "VEC3"},
        {"bufferView": view, "byteOffset": 12, "componentType": 5123, "count": 3, "type": "VEC2", "normalized": True},
    ]
    sparse = {
        "count": 1,
        "indices": {"bufferView": b.view(np.array([2], "<u2").tobytes()), "componentType": 5123},
        "values": {"bufferView": b.view(np.array([[0, 7, 7]], "<f4").tobytes())},
    }
    base = b.document["accessors"][0]
    b.document["accessors"] += [{**base, "sparse": sparse}, {**base, "sparse": sparse}]
    del b.document["accessors"][3]["bufferView"]
    shorts = b.array(_TRIANGLE * 32767, "int16", normalized=True)
    for position, more in ((0, {"TEXCOORD_0": 1}), (2, {}), (3, {}), (shorts, {})):
        b.document["meshes"].append({"primitives": [{"attributes": {"POSITION": position, **more}}]})
        b.node(mesh=len(b.document["meshes"]) - 1)
    shape = load_shape(b.glb(tmp_path / "a.glb"))
    world = _world(shape)
    assert np.allclose(world[0], _TRIANGLE)
    assert np.allclose(world[3], _TRIANGLE)
    assert world[1].tolist() == [[0, 0, 0], [1, 0, 0], [0, 7, 7]]
    assert world[2].tolist() == [[0, 0, 0], [0, 0, 0], [0, 7, 7]]
    assert shape.appearance.uv[0].tolist() == [[0, 0], [1, 0], [0, 1]]


def test_data_uris_and_files_beside_but_never_outside(tmp_path):
    data = _TRIANGLE.tobytes()
    (tmp_path / "secret.bin").write_bytes(data)
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "own data.bin").write_bytes(data)
    b = _Builder()
    b.node(mesh=b.mesh())

    def load(uri: str):
        b.document["buffers"] = [{"byteLength": len(data), "uri": uri}]
        (folder / "a.gltf").write_text(json.dumps(b.document))
        return load_shape(folder / "a.gltf")

    inline = "data:application/octet-stream;base64," + base64.b64encode(data).decode()
    for uri in (inline, "own data.bin", "own%20data.bin"):
        assert np.allclose(_world(load(uri))[0], _TRIANGLE)
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    for uri in ("../secret.bin", str(tmp_path / "secret.bin"), "..%2Fsecret.bin", "link.bin", "gone.bin"):
        with pytest.raises(InputError, match="missing"):
            load(uri)


def test_cycles_and_shared_children_end(tmp_path):
    b = _Builder()
    mesh = b.mesh()
    b.document["nodes"] = [{"children": [1, 1], "mesh": mesh}, {"children": [0, 1], "mesh": mesh}]
    b.document["scenes"] = [{"nodes": [0, 1]}]
    with pytest.warns(ShapeWarning, match="cycle"):
        assert load_shape(b.glb(tmp_path / "a.glb")).n_elements == 2
    # each node twice the child of the one before: 2^60 instances if followed
    b.document["nodes"] = [{"children": [i + 1, i + 1]} for i in range(60)] + [{"mesh": mesh}]
    b.document["scenes"] = [{"nodes": [0]}]
    with pytest.warns(ShapeWarning, match="cycle"):
        assert load_shape(b.glb(tmp_path / "a.glb")).n_elements == 1
    deep = [{"children": [i + 1]} for i in range(5000)] + [{"mesh": mesh}]
    b.document["nodes"] = deep
    assert load_shape(b.glb(tmp_path / "a.glb")).n_elements == 1


def test_only_the_default_scene(tmp_path):
    b = _Builder()
    mesh = b.mesh()
    b.document["nodes"] = [{"mesh": mesh}, {"mesh": mesh, "translation": [5, 0, 0]}]
    b.document |= {"scenes": [{"nodes": [0]}, {"nodes": [1]}], "scene": 1}
    shape = load_shape(b.glb(tmp_path / "a.glb"))
    assert np.allclose(_world(shape), _TRIANGLE[None] + [5, 0, 0])


def test_primitives_share_vertices_without_copying_all(tmp_path):
    b = _Builder()
    many = np.random.default_rng(0).normal(size=(1000, 3)).astype(np.float32)
    position = b.array(many)
    rows = np.random.default_rng(1).integers(0, 1000, (40, 3))
    primitives = [{"attributes": {"POSITION": position}, "indices": b.array(r, "uint16")} for r in rows]
    primitives.append({"attributes": {"POSITION": position}, "indices": b.array([5, 2000, 6], "uint16")})
    b.document["meshes"].append({"primitives": primitives})
    b.node(mesh=0)
    with pytest.warns(ShapeWarning, match="of 41 faces 1 use a missing vertex"):
        shape = load_shape(b.glb(tmp_path / "a.glb"))
    assert np.allclose(_world(shape)[:40], many[rows])
    assert len(shape.vertices) < 200


def test_skins_stand_as_stored(tmp_path):
    b = _Builder()
    weights, joints = b.array([[1, 0, 0, 0], [0, 1, 0, 0], [0.5, 0.5, 0, 0]]), b.array([[0, 1, 0, 0]] * 3, "uint8")
    mesh = b.mesh(WEIGHTS_0=weights, JOINTS_0=joints)
    b.document["nodes"] = [
        {"mesh": mesh, "skin": 0, "translation": [99, 0, 0]},  # a skinned mesh does not follow its node
        {"translation": [0, 0, 4]},
        {"translation": [0, 0, 8]},
    ]
    b.document["skins"] = [{"joints": [1, 2]}]
    assert np.allclose(_world(load_shape(b.glb(tmp_path / "a.glb")))[0, :, 2], [4, 8, 6])


def test_materials_and_textures(tmp_path):
    png = b"\x89PNG\r\n\x1a\n" + b"x" * 9
    b = _Builder()
    uv0, uv1 = b.array([[0, 0], [1, 0], [0, 1]]), b.array([[0.5, 0.5]] * 3)
    b.node(mesh=b.mesh(TEXCOORD_0=uv0, TEXCOORD_1=uv1))
    b.node(mesh=b.mesh())
    b.document["meshes"][0]["primitives"][0]["material"] = 0
    b.document["images"] = [{"bufferView": b.view(png), "mimeType": "image/png"}, {"uri": "gone.png"}]
    b.document["samplers"] = [{"wrapS": 33071}]
    b.document["textures"] = [{"source": 0, "sampler": 0}, {"source": 1}]
    b.document["materials"] = [
        {
            "pbrMetallicRoughness": {"baseColorTexture": {"index": 0, "texCoord": 1}},
            "normalTexture": {"index": 0, "scale": 2},
            "emissiveTexture": {"index": 1, "texCoord": 1},
            "extensions": {"KHR_materials_clearcoat": {"clearcoatTexture": {"index": 0, "texCoord": 1}}},
        }
    ]
    with pytest.warns(ShapeWarning, match=r"'gone\.png'"):
        look = load_shape(b.glb(tmp_path / "a.glb")).appearance
    slot = {"image": 0, "sampler": {"wrapS": 33071}}
    assert look.materials == (
        {
            "pbrMetallicRoughness": {"baseColorTexture": slot},
            "extensions": {"KHR_materials_clearcoat": {"clearcoatTexture": slot}},
        },
    )
    assert look.images == (("image/png", png),)
    assert look.face_material.tolist() == [0, -1]
    assert (look.uv[0] == 0.5).all()


@pytest.mark.parametrize("extension", ["KHR_draco_mesh_compression", "EXT_meshopt_compression"])
def test_compressed_geometry_says_so(tmp_path, extension):
    b = _Builder()
    b.node(mesh=b.mesh())
    b.document["extensionsRequired"] = [extension]
    with pytest.raises(InputError, match=f"compressed \\({extension}\\)"):
        load_shape(b.glb(tmp_path / "a.glb"))


def test_meshopt_with_a_plain_copy_is_read(tmp_path):
    b = _Builder()
    b.node(mesh=b.mesh())
    b.document["bufferViews"][0]["extensions"] = {"EXT_meshopt_compression": {"buffer": 0}}
    assert load_shape(b.glb(tmp_path / "a.glb")).n_elements == 1
    path = b.glb(tmp_path / "a.glb")
    b.document["bufferViews"][0]["buffer"] = 1
    b.document["buffers"].append({"byteLength": 36})
    (tmp_path / "a.gltf").write_text(json.dumps(b.document))
    with pytest.raises(InputError, match="EXT_meshopt_compression"):
        load_shape(tmp_path / "a.gltf")
    assert load_shape(path).n_elements == 1


def test_draco_with_a_plain_copy_is_read(tmp_path):
    b = _Builder()
    b.node(mesh=b.mesh())
    primitive = b.document["meshes"][0]["primitives"][0]
    primitive["extensions"] = {"KHR_draco_mesh_compression": {"bufferView": 0, "attributes": {}}}
    assert load_shape(b.glb(tmp_path / "a.glb")).n_elements == 1
    del b.document["accessors"][0]["bufferView"]
    with pytest.raises(InputError, match="compressed"):
        load_shape(b.glb(tmp_path / "a.glb"))


def _claim_zeros(document: dict) -> None:
    del document["accessors"][0]["bufferView"]
    document["accessors"][0]["count"] = 10**12


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda d: d["asset"].update(version="1.0"), "version 1.0"),
        (lambda d: d.pop("asset"), "not glTF"),
        (lambda d: d["accessors"][0].update(count=10**12), "beyond"),
        (lambda d: d["accessors"][0].update(count=-1), "understood"),
        (lambda d: d["accessors"][0].update(byteOffset=-12), "beyond"),
        (_claim_zeros, "no data"),
        (lambda d: d["bufferViews"][0].update(byteLength=10**12), "beyond"),
        (lambda d: d["bufferViews"][0].update(byteStride=1), "beyond"),
        (lambda d: d["bufferViews"][0].update(buffer=-1), "understood"),
        (lambda d: d["nodes"][0].update(mesh=-1), "understood"),
        (lambda d: d["nodes"][0].update(children=[77]), "understood"),
        (lambda d: d["nodes"][0].update(matrix=[1, 2]), "understood"),
        (lambda d: d["nodes"][0].update(scale=[float("nan"), 1, 1]), "finite"),
        (lambda d: d["nodes"][0].update(scale=[1e300, 1e300, 1e300]), "finite"),
        (lambda d: d["nodes"].clear(), "no geometry"),
    ],
)
def test_refused(tmp_path, change, cause):
    b = _Builder()
    b.node(mesh=b.mesh())
    change(b.document)
    with pytest.raises(InputError, match=cause):
        load_shape(b.glb(tmp_path / "a.glb"))


_MODELS = {
    "2CylinderEngine.glb": (67, 121496), "CesiumMilkTruck.glb": (3, 3624), "vehicle-truck-red.glb": (6, 946),
    "vehicle-motorcycle.glb": (4, 960), "alien.glb": (6, 292), "cakeBirthday.glb": (6, 1332),
    "FlightHelmet/FlightHelmet.gltf": (6, 94722), "SunglassesKhronos.glb": (8, 13396), "ExplodingBarrel.glb": (5, 8150),
    "runeSword.glb": (4, 4296),
}  # fmt: skip


@pytest.mark.parametrize("name", _MODELS)
def test_models_made_of_parts(test_data, name):
    path = test_data("gltf_parts") / name
    shape = load_shape(path)
    nodes, triangles = _MODELS[name]
    assert (len(shape.appearance.node_names), shape.n_elements) == (nodes, triangles)
    scene = trimesh.load_scene(path, process=False)
    assert np.allclose(shape.bounds, scene.bounds, atol=1e-5 * np.abs(scene.bounds).max())
    assert shape.face_areas.sum() == pytest.approx(sum(m.area for m in scene.dump()), rel=1e-5)
    if shape.appearance.corner_normals is not None:  # the authors' normals agree with the winding
        facing = (shape.appearance.corner_normals.mean(1) * shape.face_normals).sum(1)
        assert np.average(facing > 0, weights=shape.face_areas) > 0.97
