"""Arrows of symmetries: which there are, where they go, what a picture shows of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image

from partseg.geometry.camera import Camera
from partseg.geometry.shape import Shape
from partseg.methods.pipeline import write_results
from partseg.parts.arrows import COLORS, MOST, Arrow, draw_arrows, legend, symmetry_arrows
from partseg.parts.hierarchy import PartHierarchy, Symmetry
from partseg.parts.picture import part_picture
from partseg.parts.segmentation import Segmentation

MOTIONS = {
    "reflective": Symmetry("reflective", (0.0, 0.0, 0.0), (1.0, 0.0, 0.0)),
    "rotational": Symmetry("rotational", (0.0, 0.0, 0.0), (0.0, 1.0, 0.0), 5, 2 * math.pi / 5),
    "translational": Symmetry("translational", (0.0, 0.0, 0.0), (-1.0, 0.0, 0.0), 4, 0.5),
}
CAMERA = Camera((0.0, 3.0, 0.0), up=(0.0, 0.0, -1.0), fov=None, extent=3.0)  # from above
SIZE = (300, 300)


def ball(centre: tuple[float, float, float], radius: float = 0.1, n: int = 80) -> np.ndarray:
    x = np.random.default_rng(0).normal(size=(n, 3))
    return np.add(centre, radius * x / np.linalg.norm(x, axis=1, keepdims=True))


def group(motion: Symmetry) -> tuple[Shape, PartHierarchy, np.ndarray]:
    """A body, and copies of a ball: the root's children are the body and the group."""
    one, fold = ball((0.8, 0.1, 0.1)), motion.fold
    points = np.concatenate([ball((0.0, -0.4, 0.0), 0.3), *(motion.apply(one, i) for i in range(fold))])
    labels = np.repeat(np.arange(fold + 1), 80)
    tree = PartHierarchy.build(
        [-1, 0, 0, *[2] * fold], np.where(labels == 0, 1, labels + 2), symmetry=[None, None, motion, *[None] * fold]
    )
    return Shape.from_points(points.astype(np.float32)), tree, labels


def inked(image: np.ndarray, kind: str) -> np.ndarray:
    return (np.abs(image.astype(int) - COLORS[kind]) < 6).all(-1)


@pytest.mark.parametrize("kind", MOTIONS)
def test_arrows_pass_where_the_copies_are(kind):
    motion = MOTIONS[kind]
    shape, tree, labels = group(motion)
    (arrow,) = symmetry_arrows(tree, shape, labels)
    assert arrow.kind == kind
    at = arrow.path[arrow.copies]
    for i in range(motion.fold):
        points = shape.points[labels == i + 1]
        np.testing.assert_allclose(at[i], motion.apply((at[:1]), i)[0], atol=1e-9)
        assert np.linalg.norm(at[i] - points.mean(0)) < 0.03
    steps = np.linalg.norm(np.diff(arrow.path, axis=0), axis=1)
    if kind == "rotational":
        assert np.ptp(np.hypot(arrow.path[:, 0], arrow.path[:, 2])) < 1e-9
        assert steps.max() < 0.1
        assert steps.sum() == pytest.approx(0.8 * 2 * math.pi * np.hypot(0.8, 0.1), rel=0.02)
    else:
        assert len(arrow.path) == motion.fold


def test_groups_that_are_not_shown_have_none():
    shape, tree, labels = group(MOTIONS["translational"])
    assert len(symmetry_arrows(tree, shape, np.where(labels == 0, 7, labels))) == 1  # any numbers
    assert symmetry_arrows(tree, shape, np.minimum(labels, 1)) == []  # the copies are one part
    assert symmetry_arrows(tree, shape, np.where(labels == 2, 1, labels)) == []  # a part reaches over two
    assert symmetry_arrows(tree, shape, np.where(labels == 3, -1, labels)) == []  # a copy without parts
    fine = np.where(shape.points[:, 1] > 0.1, labels, labels + 10)
    assert len(symmetry_arrows(tree, shape, fine)) == 1
    plain = PartHierarchy.from_labels(labels)
    assert symmetry_arrows(plain, shape, labels) == []


def test_groups_in_later_copies_repeat_the_first():
    # two mirrored pairs, one a shift of the other, and a small pair beside them
    shift, mirror = Symmetry("translational", (0.0,) * 3, (0.0, 0.0, 1.0), 2, 1.0), MOTIONS["reflective"]
    one, small = ball((0.5, 0.0, 0.0)), ball((0.2, 0.0, -0.5), 0.05)
    balls = [one, mirror.apply(one), shift.apply(one), shift.apply(mirror.apply(one)), small, mirror.apply(small)]
    labels = np.repeat(np.arange(6), 80)
    tree = PartHierarchy.build(
        [-1, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4], np.array([7, 8, 9, 10, 5, 6])[labels],
        symmetry=[None, shift, mirror, mirror, mirror, *[None] * 6],
    )  # fmt: skip
    shape = Shape.from_points(np.concatenate(balls).astype(np.float32))
    arrows = symmetry_arrows(tree, shape, labels)
    assert [arrow.kind for arrow in arrows] == ["translational", "reflective", "reflective"]
    lengths = [np.linalg.norm(arrow.path[-1] - arrow.path[0]) for arrow in arrows]
    np.testing.assert_allclose(lengths, [1.0, 1.0, 0.4], atol=0.05)
    assert [text for text, _ in legend(arrows)] == ["symmetries:", "2 reflective", "1 translational"]
    assert legend([]) == []
    assert f"{MOST} largest" in legend(arrows * MOST)[0][0]


@pytest.mark.parametrize("kind", MOTIONS)
def test_ink_lies_along_the_projected_arrow(kind):
    shape, tree, labels = group(MOTIONS[kind])
    arrows = symmetry_arrows(tree, shape, labels)
    blank = np.full((*SIZE, 3), 200, np.uint8)
    image = draw_arrows(blank, arrows, CAMERA, weight=3.0)
    assert (blank == 200).all()
    ink = np.argwhere(inked(image, kind))[:, ::-1] + 0.5
    dense = np.concatenate([np.linspace(a, b, 200) for a, b in zip(arrows[0].path, arrows[0].path[1:], strict=False)])
    line = CAMERA.project(dense, SIZE)[:, :2]
    apart = np.linalg.norm(ink[:, None] - line[None], axis=2)
    assert apart.min(1).max() < 9  # half the width of a head
    assert np.median(apart.min(1)) < 3
    assert apart.min(0).max() < 3  # nowhere is it broken off
    for other in set(COLORS) - {kind}:
        assert not inked(image, other).any()
    changed = (image != 200).any(-1)
    assert changed.mean() < 0.15


def test_heads_point_to_the_last_copy():
    shape, tree, labels = group(MOTIONS["translational"])
    (arrow,) = symmetry_arrows(tree, shape, labels)
    ink = inked(draw_arrows(np.full((*SIZE, 3), 200, np.uint8), [arrow], CAMERA, 3.0), "translational")
    x = CAMERA.project(arrow.path, SIZE)[:, 0].round().astype(int)
    thickness = ink.sum(0)
    assert thickness[x[-1] + 9 : x[-1] + 14].max() > 9  # the head
    assert 5 < thickness[x[1] - 1 : x[1] + 2].max() < 10  # a dot
    middle = int(x[:2].mean())
    assert 2 <= thickness[middle] <= 4


def test_what_cannot_be_drawn_is_left_out():
    blank = np.full((*SIZE, 3), 200, np.uint8)
    path = np.array([[0.0, 0.0, 0.0], [0.0, 0.5, 0.0]])  # towards the camera
    far = np.array([[0.0, 0.0, 0.0], [1e6, 0.0, 0.0]])
    behind = np.array([[0.0, 0.0, 0.0], [0.5, 5.0, 0.0]])
    for one in (path, far, behind):
        image = draw_arrows(blank, [Arrow("translational", one, np.array([0, 1]))], CAMERA)
        np.testing.assert_array_equal(image, blank)
    np.testing.assert_array_equal(draw_arrows(blank, [], CAMERA), blank)


@pytest.mark.parametrize("kind", MOTIONS)
def test_pictures_show_symmetries(kind):
    shape, tree, labels = group(MOTIONS[kind])
    levels, look = {"fine": labels, "coarse": np.minimum(labels, 1)}, {"width": 700, "views": [(30.0, 40.0)]}
    plain = np.asarray(part_picture(shape, levels, **look))
    shown = np.asarray(part_picture(shape, levels, hierarchy=tree, **look))
    assert plain.shape == shown.shape
    changed = np.flatnonzero((plain != shown).any((1, 2)))
    assert changed.max() < 0.6 * len(plain)  # only the row that tells the copies apart
    assert inked(shown, kind).sum() > 50 + inked(plain, kind).sum()
    flat = part_picture(shape, levels, hierarchy=PartHierarchy.from_labels(labels), **look)
    np.testing.assert_array_equal(plain, np.asarray(flat))
    bare = [np.asarray(part_picture(shape, None, hierarchy=given, **look)) for given in (None, tree)]
    np.testing.assert_array_equal(*bare)  # no parts, no arrows


def test_results_of_segmenting_show_symmetries(tmp_path):
    shape, tree, labels = group(MOTIONS["rotational"])
    seg = Segmentation(shape, labels)
    write_results(seg, tmp_path / "flat")
    write_results(seg.with_hierarchy(tree), tmp_path / "tree")
    flat, shown = (np.asarray(Image.open(tmp_path / name / "parts.png")) for name in ("flat", "tree"))
    assert inked(shown, "rotational").sum() > 500 + inked(flat, "rotational").sum()
