"""URDF and MJCF robots: poses against hand-written and independent ones, real robots, damaged files."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from fakes.robots import BLOCK, BLOCK_FACES, stl, write_arm, write_crab, write_cupboard, write_robots
from partseg.data.formats.base import PartSample
from partseg.data.formats.kinematics import read_xml
from partseg.data.formats.mjcf import read_mjcf
from partseg.data.formats.robot_meshes import primitive
from partseg.data.formats.robots import RobotReader
from partseg.errors import InputError, ShapeWarning
from partseg.geometry.io import load_shape


def boxes(reader: RobotReader, sample: PartSample) -> dict[str, np.ndarray]:
    """Link name -> lower and upper corner."""
    names = reader.taxonomy()["links"]
    out = {}
    for number in np.unique(sample.semantics["links"]):
        used = sample.shape.vertices[np.unique(sample.shape.faces[sample.semantics["links"] == number])]
        out[names[number]] = np.stack([used.min(0), used.max(0)])
    return out


def volume(sample: PartSample, mask: np.ndarray) -> float:
    a, b, c = (sample.shape.vertices[sample.shape.faces[mask, i]] for i in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def test_links_stand_where_the_generator_put_them(tmp_path: Path) -> None:
    world = write_robots(tmp_path)
    reader = RobotReader(tmp_path)
    items = reader.index()
    assert [item.name for item in items] == sorted(world)  # scene.xml is no robot
    assert [item.category for item in items] == ["arm_description", "crab", "cupboard"]
    for item in items:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            sample = reader.load(item)
        found = boxes(reader, sample)
        assert found.keys() == world[item.name].keys()
        for link, expected in world[item.name].items():
            np.testing.assert_allclose(found[link], expected, atol=1e-6, err_msg=link)
        labels = sample.labels["links"]
        assert sorted(set(labels)) == list(range(len(world[item.name])))
        assert all(volume(sample, labels == k) > 0 for k in set(labels)), "mirrored geometry is wound outward"
        assert sample.shape.vertices.dtype == np.float64
        np.testing.assert_array_equal(
            sample.hierarchy.cut(level="links") == sample.hierarchy.cut(level="links")[:, None],
            labels == labels[:, None],
        )
    assert not list(reader.check())
    assert pickle.loads(pickle.dumps(reader)).index() == items  # noqa: S301


def test_the_tree_is_the_kinematic_tree(tmp_path: Path) -> None:
    write_robots(tmp_path)
    reader = RobotReader(tmp_path, category="arm_description")
    tree = reader.load(reader.index()[0]).hierarchy
    # the tool shows nothing and is dropped; the footprint shows nothing but carries the rest
    assert tree.name == ("footprint", "base", "base", "upper", "upper", "lower")
    assert tree.parent.tolist() == [-1, 0, 1, 1, 3, 3]
    names = ["antenna", "base", "claw_left", "claw_right", "door", "eye", "footprint", "frame", "lower", "shell"]
    assert reader.taxonomy() == {"links": (*names, "upper")}
    assert [reader.taxonomy()["links"][k] for k in tree.semantic_id] == list(tree.name)


def test_visuals_are_counted_within_links(tmp_path: Path) -> None:
    path = write_arm(tmp_path / "arm_description")
    box = "<visual><geometry><box size='1 1 1'/></geometry></visual>"
    path.write_text(path.read_text().replace('<link name="upper">', f'<link name="upper">{box}'))
    sample = RobotReader(tmp_path).load(RobotReader(tmp_path).index()[0])
    pairs = np.unique(np.stack([sample.labels["links"], sample.labels["visuals"]]), axis=1)
    assert pairs.tolist() == [[0, 1, 1, 2], [0, 1, 2, 3]]


def test_the_same_robot_in_two_formats_keeps_two_names(tmp_path: Path) -> None:
    write_crab(tmp_path)
    (tmp_path / "crab.urdf").write_text(
        "<robot name='c'><link name='x'><visual><geometry><sphere radius='1'/></geometry></visual></link></robot>"
    )
    assert [item.name for item in RobotReader(tmp_path).index()] == ["crab.urdf", "crab.xml"]


@pytest.mark.parametrize("angle", ["degree", "radian"])
@pytest.mark.parametrize("sequence", ["xyz", "zyx", "XYZ", "zxz", "ZYX"])
def test_euler_angles_against_scipy(tmp_path: Path, sequence: str, angle: str) -> None:
    angles = np.array([0.3, -1.1, 2.0])
    text = " ".join(map(str, np.degrees(angles) if angle == "degree" else angles))
    compiler = f"<compiler eulerseq='{sequence}' angle='{angle}'/>"
    pose = _body_pose(tmp_path, f"euler='{text}' pos='1 2 3'", compiler)
    np.testing.assert_allclose(pose[:3, :3], Rotation.from_euler(sequence.swapcase(), angles).as_matrix(), atol=1e-12)
    np.testing.assert_allclose(pose[:, 3], [1, 2, 3, 1])


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        ("quat='3 0 0 0'", np.eye(3)),
        ("quat='0.5 0.1 -0.7 0.2'", Rotation.from_quat([0.1, -0.7, 0.2, 0.5]).as_matrix()),
        (
            "axisangle='0 3 4 50'",
            Rotation.from_rotvec(np.radians(50) * np.array([0, 0.6, 0.8])).as_matrix(),
        ),
        ("xyaxes='0 2 0 -1 5 0'", [[0, -1, 0], [1, 0, 0], [0, 0, 1]]),
        ("zaxis='5 0 0'", [[0, 0, 1], [0, 1, 0], [-1, 0, 0]]),
        ("zaxis='0 0 -2'", np.diag([1, -1, -1])),
        ("", np.eye(3)),
    ],
)
def test_orientations(tmp_path: Path, attribute: str, expected: np.ndarray) -> None:
    np.testing.assert_allclose(_body_pose(tmp_path, attribute)[:3, :3], expected, atol=1e-12)


def _body_pose(folder: Path, attributes: str, compiler: str = "") -> np.ndarray:
    path = folder / "one.xml"
    body = f"<body name='b' {attributes}><geom size='1'/></body>"
    path.write_text(f"<mujoco>{compiler}<worldbody>{body}</worldbody></mujoco>")
    (link,) = read_mjcf(path, folder).links
    return link.pose


@pytest.mark.parametrize(("kind", "ratio", "size"), [("box", 0, 8.0), ("sphere", 0, 4 / 3 * np.pi), ("capsule", 2, 0.0),
                                                    ("cylinder", 0, 2 * np.pi)])  # fmt: skip
def test_primitives_are_closed_and_have_their_volume(kind: str, ratio: float, size: float) -> None:
    vertices, faces = primitive(kind, ratio)
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    size = size or 4 / 3 * np.pi + 2 * ratio * np.pi
    assert np.einsum("ij,ij->", a, np.cross(b, c)) / 6 == pytest.approx(size, rel=0.03)
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    keys = {tuple(edge) for edge in edges.tolist()}
    assert len(keys) == len(edges)  # every directed edge once, with its opposite
    assert {(b, a) for a, b in keys} == keys
    assert np.abs(vertices[:, 2]).max() == pytest.approx(1 + ratio)


def test_without_group_2_shown_geoms_without_contacts_count(tmp_path: Path) -> None:
    geoms = [
        "<geom size='1' contype='0' conaffinity='0'/><geom size='2'/>",  # a body that has visual geoms
        "<geom size='3'/><geom size='4' group='3'/>",  # one that has not; group 3 is hidden
    ]
    bodies = "".join(f"<body name='b{i}'>{geom}</body>" for i, geom in enumerate(geoms))
    path = tmp_path / "ant.xml"
    path.write_text(f"<mujoco><worldbody>{bodies}<replicate count='3'/></worldbody></mujoco>")
    with pytest.warns(ShapeWarning, match="replicate"):
        robot = read_mjcf(path, tmp_path)
    assert [[v.matrix[0, 0] for v in link.visuals] for link in robot.links] == [[1.0], [3.0]]


def test_includes_are_unfolded_in_place(tmp_path: Path) -> None:
    (tmp_path / "leg.xml").write_text(
        "<mujocoinclude><body name='leg'><include file='foot.xml'/></body></mujocoinclude>"
    )
    (tmp_path / "foot.xml").write_text("<mujocoinclude><geom size='2'/></mujocoinclude>")
    path = tmp_path / "robot.xml"
    path.write_text("<mujoco><worldbody><body name='a'><include file='leg.xml'/></body></worldbody></mujoco>")
    robot = read_mjcf(path, tmp_path)
    assert [(link.name, link.parent, len(link.visuals)) for link in robot.links] == [("a", -1, 0), ("leg", 0, 1)]
    (tmp_path / "foot.xml").write_text("<mujocoinclude><include file='leg.xml'/></mujocoinclude>")
    with pytest.raises(InputError, match="included before"):
        read_mjcf(path, tmp_path)


# -- damaged files ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("</robot>", "", "expected XML"),
        ('<?xml version="1.0"?>', '<!DOCTYPE robot [<!ENTITY x "y">]>', "DOCTYPE"),
        ("<robot", "<thing", "expected XML|<thing>"),
        ("base.stl", "gone.stl", "gone.stl.*not there"),
        ("../meshes/lower.dae", "../../../../lower.dae", "outside the root"),
        ("../meshes/lower.dae", "/etc/lower.dae", "expected package:// or a relative path"),
        ("../meshes/lower.dae", "https://x.org/lower.dae", "expected package:// or a relative path"),
        ('<parent link="base"/>', '<parent link="basis"/>', "'j1' joins link 'basis', which is not in the file"),
        ('<parent link="base"/>', '<parent link="lower"/>', "a cycle through"),
        ('<child link="upper"/>', '<child link="base"/>', "child of two joints"),
        ('<link name="tool"/>', '<link name="base"/>', "two links are called 'base'"),
        ('xyz="0 0 5"', 'xyz="0 0 ${h}"', "expand the xacro"),
        ('xyz="0 0 5"', 'xyz="0 0"', "expected 3 numbers"),
        ('xyz="0 0 5"', 'xyz="0 nan 0"', "within 1e9"),
        ("2 4 6", "2 0 6", "above 0"),
        ("-1 1 1", "0 1 1", "scale of zero"),
        ('<box size="2 4 6"', '<cone size="2 4 6"', "<cone>"),
    ],
)
def test_damaged_urdf(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = write_arm(tmp_path / "arm_description")
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    _refused(tmp_path, path, message)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("</mujoco>", "", "expected XML"),
        ("<mujoco ", "<!DOCTYPE a><mujoco ", "DOCTYPE"),
        ('file="claw.obj" refpos="0 0 5"/>', 'file="gone.obj" name="claw"/>', "gone.obj.*not there"),
        ('meshdir="assets"', 'meshdir="../../.."', "outside the root"),
        ('meshdir="assets"', 'meshdir="/assets"', "outside the root"),
        ('mesh="mirrored"', 'mesh="unknown"', "'unknown', which no asset defines"),
        ('childclass="visual"', 'childclass="invisible"', "'invisible', which no default defines"),
        ('quat="0 0 0 2"', 'quat="0 0 0 0"', "quaternion of zero"),
        ('quat="0 0 0 2"', 'quat="1 0 0 0" euler="0 0 0"', "two orientations"),
        ('fromto="0 0 0 0 4 0"', 'fromto="0 0 0 0 0 0"', "coincide"),
        ('type="box"', 'type="teapot"', "'teapot'"),
        ('size="1 1 1"/>\n      <geom class="c', 'size="1 1"/>\n      <geom class="c', "expected 3 numbers"),
        ('size="0.5 0.5 0.5"', 'size="0.5 -1 0.5"', "above 0"),
        ("<worldbody>", "<worldbody><include file='more.xml'/>", "more.xml.*not below"),
        ('angle="radian"', 'eulerseq="abc"', "eulerseq"),
        ('angle="radian"', 'coordinate="global"', "global coordinates"),
        ('refpos="0 0 5"', 'refpos="a"', "expected numbers"),
    ],
)
def test_damaged_mjcf(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = write_crab(tmp_path / "crab")
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    _refused(tmp_path, path, message)


def test_a_chain_needs_its_assets(tmp_path: Path) -> None:
    chain = write_cupboard(tmp_path / "cupboard")
    chain.with_name("door_asset.xml").unlink()
    _refused(tmp_path, chain, "expected door_asset.xml beside it")


@pytest.mark.parametrize("mesh", ["base.stl", "lower.dae"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.97])
def test_truncated_meshes(tmp_path: Path, mesh: str, share: float) -> None:
    write_arm(tmp_path / "arm_description")
    path = tmp_path / "arm_description" / "meshes" / mesh
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    _refused(tmp_path, path, ".")


def test_a_collada_file_with_a_wrong_index(tmp_path: Path) -> None:
    write_arm(tmp_path / "arm_description")
    path = tmp_path / "arm_description" / "meshes" / "lower.dae"
    path.write_text(path.read_text().replace("<p>0 ", "<p>99 "))
    _refused(tmp_path, path, ".")


def _refused(root: Path, path: Path, message: str) -> None:
    """Loading and checking name the file and the cause; other robots of the root would still be read."""
    reader = RobotReader(root)
    (item,) = [item for item in reader.index() if not item.name.endswith("scene")]
    with pytest.raises(InputError, match=message) as caught:
        reader.load(item)
    assert caught.value.path == str(path) and "\n" not in str(caught.value)
    found = [
        error for error in reader.check() if item.files[0].parent == Path(error.path).parent or error.path == str(path)
    ]
    assert str(caught.value) in map(str, found)
    assert isinstance(reader.taxonomy()["links"], tuple)


def test_check_lists_every_problem_once(tmp_path: Path) -> None:
    path = write_arm(tmp_path / "arm_description")
    text = path.read_text().replace("base.stl", "gone.stl").replace('<parent link="base"/>', '<parent link="basis"/>')
    path.write_text(text)
    (tmp_path / "arm_description" / "meshes" / "lower.dae").write_text("<COLLADA/>")
    errors = [str(error) for error in RobotReader(tmp_path).check()]
    assert len(errors) == len(set(errors)) == 4  # mesh, parent, the second root that follows from it, COLLADA
    assert sum("gone.stl" in x for x in errors) == sum("basis" in x for x in errors) == 1
    assert sum("lower.dae" in x for x in errors) == sum("one root" in x for x in errors) == 1


def test_wrong_roots(tmp_path: Path) -> None:
    for root, message in ((tmp_path / "none", "no such folder"), (tmp_path, "found none")):
        with pytest.raises(InputError, match=message):
            RobotReader(root).index()
        assert len(list(RobotReader(root).check())) == 1
    (tmp_path / "pom.xml").write_text("<project/>")
    with pytest.raises(InputError, match="found none"):
        RobotReader(tmp_path).index()
    write_robots(tmp_path)
    with pytest.raises(InputError, match="there are arm_description, crab, cupboard"):
        RobotReader(tmp_path, category="arm").index()


def test_a_robot_of_frames_alone(tmp_path: Path) -> None:
    path = tmp_path / "frames.urdf"
    path.write_text("<robot name='f'><link name='a'/></robot>")
    _refused(tmp_path, path, "expected visual geometry, found none")


def test_a_changed_mesh_is_read_again(tmp_path: Path) -> None:
    write_robots(tmp_path)
    reader = RobotReader(tmp_path)
    item = reader.index()[0]
    before = boxes(reader, reader.load(item))["base"]
    stl(tmp_path / "arm_description" / "meshes" / "base.stl", BLOCK * 2000, BLOCK_FACES)
    np.testing.assert_allclose(boxes(reader, reader.load(item))["base"] - (0, 0, 1), 2 * (before - (0, 0, 1)))


# -- real robots ------------------------------------------------------------------------------------------

# links with geometry and visuals, from the files' description
REAL = {
    "mjcf/agility_cassie/cassie": (25, 25),
    "mjcf/anybotics_anymal_c/anymal_c": (13, 50),
    "mjcf/robotiq_2f85/2f85": (14, 14),
    "mjcf/wonik_allegro/left_hand": (21, 21),
    "mjcf/wonik_allegro/right_hand": (21, 21),
    "mjcf_furniture/kitchen_assets/item_assets/counters_chain": (1, 18),
    "mjcf_furniture/kitchen_assets/item_assets/hingecabinet_chain": (3, 17),
    "mjcf_furniture/kitchen_assets/item_assets/kettle_chain": (1, 8),
    "mjcf_furniture/kitchen_assets/item_assets/microwave_chain": (2, 8),
    "urdf/bolt_description/robots/bolt": (9, 9),
    "urdf/double_pendulum_description/urdf/double_pendulum": (3, 3),
    "urdf/double_pendulum_description/urdf/double_pendulum_continuous": (3, 3),
    "urdf/double_pendulum_description/urdf/double_pendulum_simple": (3, 3),
    "urdf/finger_edu_description/robots/finger_edu": (4, 7),
    "urdf/hyq_description/robots/hyq_no_sensors": (19, 19),
    "urdf/pr2_description/urdf/pr2": (64, 64),
}


def test_real_robots_all_load(test_data) -> None:
    reader = RobotReader(test_data("robots"))
    found = {}
    for item in reader.index():
        sample = reader.load(item)
        found[item.name] = tuple(int(sample.labels[level].max()) + 1 for level in ("links", "visuals"))
        extent = np.ptp(sample.shape.bounds, axis=0)
        assert 0.1 < extent.max() < 3, f"{item.name} is {extent} m large"
        assert (sample.semantics["links"] >= 0).all() and (sample.hierarchy.leaf_of >= 0).all()
    assert found == REAL
    assert not list(reader.check())


@pytest.mark.parametrize("robot", ["bolt_description", "finger_edu_description", "pr2_description"])
def test_real_urdf_against_a_walk_up_the_joints(test_data, robot: str) -> None:
    """Each visual's corners are carried joint by joint to the root with scipy, which also reads no reader's code."""
    root = test_data("robots") / "urdf"
    reader = RobotReader(root, category=robot)
    (item,) = reader.index()
    sample = reader.load(item)
    document = ElementTree.parse(item.files[0]).getroot()
    joints = {joint.find("child").get("link"): joint for joint in document.findall("joint")}

    def carried(points: np.ndarray, element: ElementTree.Element) -> np.ndarray:
        origin = element.find("origin")
        get = {} if origin is None else origin.attrib
        xyz, rpy = ([float(x) for x in get.get(key, "0 0 0").split()] for key in ("xyz", "rpy"))
        return Rotation.from_euler("xyz", rpy).apply(points) + xyz

    checked = 0
    names = reader.taxonomy()["links"]
    for link in document.findall("link"):
        number = names.index(link.get("name")) if link.get("name") in names else -1
        own = np.unique(sample.labels["visuals"][sample.semantics["links"] == number])
        for k, visual in enumerate(link.findall("visual")):
            mesh = visual.find("geometry/mesh")
            if mesh is None:
                continue
            shape = load_shape(root / mesh.get("filename").removeprefix("package://example-robot-data/robots/"))
            points, at = carried(shape.vertices[shape.faces].reshape(-1, 3), visual), link.get("name")
            while at in joints:
                points, at = carried(points, joints[at]), joints[at].find("parent").get("link")
            faces = sample.shape.faces[sample.labels["visuals"] == own[k]]
            np.testing.assert_allclose(sample.shape.vertices[faces].reshape(-1, 3), points, atol=1e-9)
            checked += 1
    assert checked >= 7


def test_real_left_and_right_are_mirror_images(test_data) -> None:
    """Cassie's right half is made of mirrored meshes under other rotations: only right poses make it symmetric."""
    reader = RobotReader(test_data("robots") / "mjcf")
    (item,) = [item for item in reader.index() if item.name.endswith("cassie")]
    sample = reader.load(item)
    names, semantic = reader.taxonomy()["links"], sample.semantics["links"]
    found = boxes(reader, sample)
    left = [name for name in found if name.startswith("left-")]
    assert len(left) == 12
    for name in left:
        right = name.replace("left", "right")
        (a, b), mirrored = found[right], found[name] * (1, -1, 1)
        np.testing.assert_allclose([a, b], [mirrored.min(0), mirrored.max(0)], atol=2e-3, err_msg=name)
        volumes = [volume(sample, semantic == names.index(x)) for x in (name, right)]
        assert volumes[0] == pytest.approx(volumes[1], rel=0.02)


def test_xml_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("partseg.data.formats.kinematics._MAX_XML", 10)
    path = write_arm(tmp_path)
    with pytest.raises(InputError, match="at most 64 MiB"):
        read_xml(path)
