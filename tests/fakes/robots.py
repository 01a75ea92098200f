"""Robots as their repositories lay them out: a URDF arm, an MJCF crab with a scene, a cupboard in two fragments.

Every rotation is a quarter turn, so where each link's geometry ends up is written down here by hand.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

BLOCK = np.array([[x, y, z] for x in (0, 1) for y in (0, 2) for z in (0, 3)], float)
_QUADS = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
BLOCK_FACES = np.array(_QUADS)[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3)
"""A block from the origin to (1, 2, 3): no mirror image or quarter turn of it coincides with it."""

# robot -> link -> lower and upper corner of its geometry in the world
WORLD = {
    "arm_description/urdf/arm": {
        # block of 1000 mm at the base, which stands 1 above the footprint
        "base": ((0, 0, 1), (1, 2, 4)),
        # box 2 x 4 x 6 at (0, 0, 5) of a link turned by a quarter about z
        "upper": ((-2, -1, 3), (2, 1, 9)),
        # block in units of 10 cm, mirrored in x, of a link turned by a quarter about x: y -> z, z -> -y
        "lower": ((-1, 7, 2), (0, 10, 4)),
    },
    "crab/crab": {
        "shell": ((-1, -1, 9), (1, 1, 11)),
        "claw_left": ((0, 5, 10), (1, 7, 13)),
        "claw_right": ((0, -7, 10), (1, -5, 13)),
        "eye": ((-0.5, -0.5, 12.5), (0.5, 0.5, 13.5)),
        "antenna": ((-0.25, -0.25, 12.75), (0.25, 4.25, 13.25)),
    },
    "cupboard/item_assets/door_chain": {
        "frame": ((0, 0, 0), (1, 2, 3)),
        "door": ((3, 0, 0), (4, 2, 3)),
    },
}


def stl(path: Path, vertices: np.ndarray, faces: np.ndarray) -> None:
    """A binary STL file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    record = np.zeros(len(faces), [("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    record["corners"] = vertices[faces]
    path.write_bytes(bytes(80) + struct.pack("<I", len(faces)) + record.tobytes())


def obj(path: Path, vertices: np.ndarray, faces: np.ndarray) -> None:
    """An OBJ file that names materials which are not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["mtllib gone.mtl", *(f"v {x} {y} {z}" for x, y, z in vertices)]
    path.write_text("\n".join(lines + [f"f {a} {b} {c}" for a, b, c in faces + 1]) + "\n")


def dae(path: Path, vertices: np.ndarray, faces: np.ndarray, metre: float) -> None:
    """A COLLADA file in a unit of `metre`, y up; its scene lifts what was lowered."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shifted = (vertices - (0, 0, 1)) / metre
    up = 1 / metre
    path.write_text(
        f"""<?xml version="1.0" encoding="utf-8"?>
<COLLADA xmlns="http://www.collada.org/2005/11/COLLADASchema" version="1.4.1">
  <asset><created>2020-01-01T00:00:00</created><modified>2020-01-01T00:00:00</modified>
    <unit name="own" meter="{metre}"/><up_axis>Y_UP</up_axis></asset>
  <library_geometries><geometry id="block"><mesh>
    <source id="at"><float_array id="array" count="{3 * len(vertices)}">{_words(shifted)}</float_array>
      <technique_common><accessor source="#array" count="{len(vertices)}" stride="3">
        <param name="X" type="float"/><param name="Y" type="float"/><param name="Z" type="float"/>
      </accessor></technique_common></source>
    <vertices id="vertices"><input semantic="POSITION" source="#at"/></vertices>
    <triangles count="{len(faces)}"><input semantic="VERTEX" source="#vertices" offset="0"/>
      <p>{_words(faces)}</p></triangles>
  </mesh></geometry></library_geometries>
  <library_visual_scenes><visual_scene id="scene">
    <node><translate>0 0 {up}</translate><node><instance_geometry url="#block"/></node></node>
  </visual_scene></library_visual_scenes>
  <scene><instance_visual_scene url="#scene"/></scene>
</COLLADA>"""
    )


def write_robots(root: Path) -> dict[str, dict[str, tuple[tuple[float, ...], tuple[float, ...]]]]:
    """Write three robots and a scene; returns `WORLD`."""
    write_arm(root / "arm_description")
    write_crab(root / "crab")
    write_cupboard(root / "cupboard")
    return WORLD


def write_arm(folder: Path) -> Path:
    """footprint - base - upper - lower - tool; footprint and tool are frames. Returns the URDF."""
    stl(folder / "meshes" / "base.stl", BLOCK * 1000, BLOCK_FACES)
    dae(folder / "meshes" / "lower.dae", BLOCK, BLOCK_FACES, 0.1)
    path = folder / "urdf" / "arm.urdf"
    path.parent.mkdir(parents=True, exist_ok=True)
    mesh = "package://some_ros_package/robots/arm_description/meshes"
    path.write_text(
        f"""<?xml version="1.0"?>
<robot name="arm" xmlns:xacro="http://www.ros.org/wiki/xacro">
  <link name="footprint"/>
  <link name="base">
    <visual><geometry><mesh filename="{mesh}/base.stl" scale="0.001 0.001 0.001"/></geometry></visual>
    <collision><geometry><box size="99 99 99"/></geometry></collision>
  </link>
  <link name="upper">
    <visual><origin xyz="0 0 5"/><geometry><box size="2 4 6"/></geometry></visual>
  </link>
  <link name="lower">
    <visual><geometry><mesh filename="../meshes/lower.dae" scale="-1 1 1"/></geometry></visual>
  </link>
  <link name="tool"/>
  <joint name="j3" type="fixed"><parent link="lower"/><child link="tool"/></joint>
  <joint name="j0" type="fixed"><origin xyz="0 0 1"/><parent link="footprint"/><child link="base"/></joint>
  <joint name="j1" type="revolute"><origin rpy="0 0 {np.pi / 2}" xyz="0 0 0"/>
    <parent link="base"/><child link="upper"/><axis xyz="0 0 1"/></joint>
  <joint name="j2" type="revolute"><origin rpy="{np.pi / 2} 0 {-np.pi / 2}" xyz="10 0 1"/>
    <parent link="upper"/><child link="lower"/><axis xyz="0 0 1"/></joint>
</robot>"""
    )
    return path


def write_crab(folder: Path) -> Path:
    """A model with nested classes, a mirrored mesh, every kind of frame, and the scene that includes it."""
    obj(folder / "assets" / "claw.obj", BLOCK * 10 + (0, 0, 5), BLOCK_FACES)
    path = folder / "crab.xml"
    path.write_text(
        """<mujoco model="crab">
  <compiler angle="radian" meshdir="assets" autolimits="true"/>
  <default>
    <default class="crab">
      <mesh scale="0.1 0.1 0.1"/>
      <default class="visual">
        <geom type="mesh" group="2" contype="0" conaffinity="0"/>
        <default class="claw"><geom mesh="claw" quat="0 0 0 1"/></default>
      </default>
      <default class="collision"><geom type="sphere" group="3" size="50"/></default>
    </default>
  </default>
  <asset>
    <mesh class="crab" file="claw.obj" refpos="0 0 5"/>
    <mesh class="crab" name="mirrored" file="claw.obj" refpos="0 0 5" scale="0.1 -0.1 0.1"/>
  </asset>
  <worldbody>
    <light pos="0 0 3"/>
    <geom type="plane" size="1 1 1" group="2"/>
    <body name="shell" pos="0 0 10" childclass="visual">
      <freejoint/>
      <geom type="box" size="1 1 1"/>
      <geom class="collision"/>
      <body name="claw_left" pos="0 5 0" quat="0 0 0 2">
        <joint axis="0 0 1" range="-1 1"/>
        <geom class="claw"/>
        <geom class="collision"/>
      </body>
      <body name="claw_right" pos="0 -5 0"><geom class="claw" mesh="mirrored" euler="0 0 0"/></body>
      <frame pos="0 0 3">
        <body name="eye"><geom type="ellipsoid" size="0.5 0.5 0.5"/></body>
        <body name="antenna"><geom type="capsule" size="0.25" fromto="0 0 0 0 4 0"/></body>
      </frame>
      <body name="camera_mount" pos="1 1 1"/>
    </body>
  </worldbody>
</mujoco>"""
    )
    (folder / "scene.xml").write_text(
        """<mujoco model="crab scene"><include file="crab.xml"/>
  <worldbody><geom name="floor" size="0 0 0.05" type="plane"/><body name="toy"><geom size="1"/></body></worldbody>
</mujoco>"""
    )
    return path


def write_cupboard(folder: Path) -> Path:
    """A pair of fragments: meshes and classes in one, bodies in the other. Returns the chain."""
    stl(folder / "meshes" / "panel.stl", BLOCK, BLOCK_FACES)
    items = folder / "item_assets"
    items.mkdir(parents=True, exist_ok=True)
    (items / "door_asset.xml").write_text(
        f"""<mujocoinclude><compiler angle="radian"/>
  <asset><mesh file="../../{folder.name}/meshes/panel.stl" name="panel"/></asset>
  <default><default class="door"><geom conaffinity="0" contype="0" group="1" type="mesh"/>
    <default class="door_collision"><geom group="4" conaffinity="1"/></default></default></default>
</mujocoinclude>"""
    )
    chain = items / "door_chain.xml"
    chain.write_text(
        """<mujocoinclude><body name="frame" childclass="door">
  <geom mesh="panel"/>
  <geom class="door_collision" type="box" size="9 9 9"/>
  <body name="door" pos="3 0 0"><joint axis="0 0 1" range="-2 0"/><geom mesh="panel"/></body>
</body></mujocoinclude>"""
    )
    return chain


def _words(values: np.ndarray) -> str:
    return " ".join(f"{value:.9g}" for value in np.ravel(values))
