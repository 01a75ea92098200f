"""Procedural rooms: the same every time, nothing interpenetrates, only what cameras see is kept."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from partseg.data.rooms import CLASSES, KINDS, Room, RoomSettings, room
from partseg.data.rooms.furnish import furnish
from partseg.data.rooms.plan import Box, Plan, meets
from partseg.data.rooms.scan import assemble, cameras, scan, seen
from partseg.errors import PartsegError
from partseg.geometry.buffers import rasterise
from partseg.geometry.camera import Camera
from partseg.geometry.sampling import sample_surface

FAST = RoomSettings(points=3000, views=3, min_points=5)


@pytest.fixture(scope="module")
def rooms() -> list[Room]:
    return [room(11, i, FAST) for i in range(3)]


@pytest.fixture(scope="module")
def plans():
    return [furnish(np.random.default_rng([4, i]), 14) for i in range(6)]


def test_there_are_eighteen_classes():
    assert len(CLASSES) == len(set(CLASSES)) == 18
    assert {"chair", "table", "bed", "sofa", "storage", "lamp", "door", "window"} <= set(CLASSES)


def test_rooms_are_whole(rooms):
    for one in rooms:
        assert one.kind in KINDS
        assert one.points.shape == one.normals.shape == one.colors.shape == (3000, 3)
        np.testing.assert_allclose(np.linalg.norm(one.normals, axis=1), 1, atol=1e-3)
        assert one.colors.min() >= 0 and one.colors.max() <= 1
        found = np.unique(one.labels)
        assert found.tolist() == list(range(-1, len(found) - 1)) and len(found) > 4
        np.testing.assert_array_equal(one.labels < 0, one.semantics < 0)
        counts = np.bincount(one.labels[one.labels >= 0])
        assert counts.min() >= FAST.min_points
        for label in range(len(counts)):
            assert len(set(one.semantics[one.labels == label].tolist())) == 1
        sample = one.sample("x")
        np.testing.assert_array_equal(sample.labels["objects"], one.labels)
        np.testing.assert_array_equal(sample.semantics["objects"], one.semantics)
        assert sample.shape.colors is not None and sample.shape.normals is not None


def test_a_room_follows_from_its_number(rooms):
    again = room(11, 2, FAST)
    for name in ("points", "normals", "colors", "labels", "semantics"):
        np.testing.assert_array_equal(getattr(again, name), getattr(rooms[2], name))
    assert (room(12, 2, FAST).points != again.points).any()
    assert (rooms[1].points != rooms[2].points).any()
    assert pickle.loads(pickle.dumps(FAST)) == FAST  # noqa: S301


def test_rooms_have_the_size_of_rooms():
    whole = [room(1, i, RoomSettings(points=2000, views=None, noise=0, min_points=0)) for i in range(2)]
    for one in whole:
        size = np.ptp(one.points, axis=0)
        assert (size > [2.5, 2.5, 2.2]).all() and (size < [6, 5.2, 3.1]).all()
        assert one.points.min() > -1e-4
        up = one.points[:, 2] < 1e-3
        assert (one.normals[up & (one.labels < 0)][:, 2] > 0.99).all()  # the floor faces up


def test_boxes_meet_as_sampled_points_say():
    """Rectangles against many points of them: an independent formulation."""
    rng = np.random.default_rng(0)
    inside = rng.uniform(-1, 1, (4000, 2))
    agree = 0
    for _ in range(200):
        one, other = (Box(*rng.random(2), rng.uniform(-4, 4), *(0.1 + 0.4 * rng.random(2)), 0.0, 1.0) for _ in range(2))
        c, s = np.cos(one.yaw), np.sin(one.yaw)
        p = inside * [one.a, one.b] @ np.array([[c, s], [-s, c]]) + [one.x - other.x, one.y - other.y]
        c, s = np.cos(other.yaw), np.sin(other.yaw)
        local = p @ np.array([[c, -s], [s, c]])
        hit = (np.abs(local) < [other.a, other.b]).all(1).any()
        told = bool(meets(one, np.array([other]))[0])
        assert told or not hit  # points that share a place prove that boxes meet
        agree += told == hit
        assert not meets(one, np.array([other._replace(low=1.0, high=2.0)]))[0]
        assert meets(other, np.array([one]))[0] == told
    assert agree >= 192  # a sliver may hold no point


def test_a_plan_keeps_boxes_inside():
    plan = Plan(3, 2, 2.5)
    assert plan.fits(Box(0.5, 0.5, 0, 0.5, 0.5, 0, 1))
    assert not plan.fits(Box(0.5, 0.5, np.pi / 4, 0.5, 0.5, 0, 1))  # its corners reach out
    assert not plan.fits(Box(1, 1, 0, 0.5, 0.5, 0, 2.6))
    for wall in range(4):
        box = plan.against_wall(wall, 0.5, 0.4, 0.3, 0, 1, 0.1)
        front = np.array([np.sin(box.yaw), -np.cos(box.yaw)])
        back = np.array([box.x, box.y]) - front * (box.b + 0.1)
        assert min(abs(back[0]), abs(back[0] - 3), abs(back[1]), abs(back[1] - 2)) < 1e-9
        assert plan.fits(box)
        plan.add(box)
        assert not plan.fits(box)


def test_objects_stand_apart_and_on_something(plans):
    on_tops = 0
    for plan, things, _ in plans:
        assert len(things) > 4
        boxes = np.array([thing.box for thing in things])
        for i, thing in enumerate(things):
            assert not meets(thing.box, np.delete(boxes, i, axis=0)).any()
            vertices = thing.placed()
            assert (
                vertices.min() > -1e-6
                and (vertices.max(0) <= [plan.width, plan.depth, plan.height] + np.full(3, 1e-6)).all()
            )
            local = vertices[:, :2] - [thing.box.x, thing.box.y]
            c, s = np.cos(thing.box.yaw), np.sin(thing.box.yaw)
            local = local @ np.array([[c, -s], [s, c]])
            np.testing.assert_allclose(np.abs(local).max(0), [thing.box.a, thing.box.b], atol=1e-4)
            np.testing.assert_allclose([vertices[:, 2].min(), vertices[:, 2].max()], thing.box[5:], atol=1e-4)
            if thing.name in ("door", "window", "picture", "clock") or thing.box.low == 0:
                continue
            on_tops += 1
            below = [t for t in things if t.name in ("table", "storage") and abs(t.box.high - thing.box.low) < 0.002]
            assert any(_over(thing.box, t) for t in below)
    assert on_tops > 10


def _over(box: Box, carrier) -> bool:
    """Whether the carrier's top has a triangle right below the middle of the box."""
    vertices = carrier.placed()
    corners = vertices[carrier.shape.faces]
    corners = corners[(corners[:, :, 2] > carrier.box.high - 0.01).all(1)][:, :, :2] - [box.x, box.y]
    nxt = np.roll(corners, -1, axis=1)
    side = corners[:, :, 0] * nxt[:, :, 1] - corners[:, :, 1] * nxt[:, :, 0]
    return bool(((side >= -1e-9).all(1) | (side <= 1e-9).all(1)).any())


def test_chairs_face_tables(plans):
    """Chairs beside a table look at it: the way from chair to table is the chair's front."""
    cosines = []
    for _, things, kind in plans:
        if kind != "dining room":
            continue
        tables = [t.box for t in things if t.name == "table"]
        for chair in (t.box for t in things if t.name == "chair"):
            for table in tables:
                off = np.array([table.x - chair.x, table.y - chair.y])
                if np.linalg.norm(off) < 1.2:
                    cosines.append(off @ [np.sin(chair.yaw), -np.cos(chair.yaw)] / np.linalg.norm(off))
    assert len(cosines) >= 4 and np.median(cosines) > 0.7


def test_seen_is_what_rays_reach():
    """A box before a wall: exact rays from the eye to each point against the box."""
    low, high = np.array([-0.5, 1.0, 0.0]), np.array([0.5, 1.6, 1.0])
    corner = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = np.array([t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))], np.int32)
    wall = np.array([[-3, 3, -1], [3, 3, -1], [3, 3, 3], [-3, 3, 3]], float)  # faces -y
    vertices = np.concatenate([low + corner * (high - low), wall])
    faces = np.concatenate([faces, [[8, 9, 10], [8, 10, 11]]]).astype(np.int32)
    view = Camera((0.2, -2.0, 1.4), (0.0, 2.0, 0.6), (0, 0, 1), 58.0, near=0.1)
    points, normals, face = sample_surface(vertices, faces, 6000, seed=1)
    points, normals = points.astype(np.float64), normals.astype(np.float64)
    got = seen([rasterise(vertices, faces, view, (240, 320))], points, normals, face)
    eye = np.array(view.eye)
    ray = points - eye
    with np.errstate(divide="ignore"):
        a, b = (low - eye) / ray, (high - eye) / ray
    enter, leave = np.minimum(a, b).max(1), np.maximum(a, b).min(1)
    hidden = (enter < leave) & (enter < 1 - 1e-4)
    facing = -np.einsum("nd,nd->n", ray, normals) / np.linalg.norm(ray, axis=1)
    x, y, depth = view.project(points, (240, 320)).T
    inside = (x >= 0) & (x < 320) & (y >= 0) & (y < 240) & (depth > 0.1)
    expected = inside & ~hidden & (facing > 0.1)
    assert expected.sum() > 500 and (inside & hidden).sum() > 200
    assert (got == expected).mean() > 0.995  # all but the pixels of edges
    assert not got[face < 10][(normals[face < 10, 1] > 0.5)].any()  # the box's back


def test_views_hide_what_is_behind():
    whole, partial = (room(2, 0, RoomSettings(points=6000, views=v, noise=0)) for v in (None, 2))
    assert partial.points.shape == whole.points.shape
    spread = lambda p: len(np.unique((p / 0.2).astype(int), axis=0))  # noqa: E731
    assert spread(partial.points) < 0.8 * spread(whole.points)


def test_cameras_stand_in_the_room(plans):
    for i, (plan, _, _) in enumerate(plans):
        for view in cameras(np.random.default_rng(i), plan, 5):
            assert 0 < view.eye[0] < plan.width and 0 < view.eye[1] < plan.depth and 1.2 < view.eye[2] < 2


def test_few_points_repeat(plans):
    plan, things, _ = plans[0]
    scene = assemble(np.random.default_rng(0), plan, things)
    away = Camera((1.0, 1.0, 1.0), (1.0, 1.0, 9.0), (0, 1, 0), 20.0, near=0.1)  # the open ceiling
    with pytest.raises(ValueError, match="no point is seen"):
        scan(np.random.default_rng(0), scene, [away], 50)
    corner = Camera((1.0, 1.0, 1.5), (1.0, 1.01, 0.0), (0, 1, 0), 25.0, near=0.1)  # less than a square metre
    points, normals, face = scan(np.random.default_rng(0), scene, [corner], 400)
    assert len(points) == len(normals) == len(face) == 400
    assert len(np.unique(points, axis=0)) < 400


@pytest.mark.parametrize(
    "wrong",
    [{"points": 0}, {"views": 0}, {"clutter": -1}, {"min_points": -1}, {"noise": -0.1}, {"color_noise": np.nan}],
)
def test_settings_out_of_range(wrong):
    with pytest.raises(PartsegError):
        RoomSettings(**wrong)


def test_no_clutter_no_small_things():
    for i in range(2):
        _, things, _ = furnish(np.random.default_rng(i), 0)
        assert all(t.box.low == 0 or t.name in ("door", "window", "picture", "clock") for t in things)
