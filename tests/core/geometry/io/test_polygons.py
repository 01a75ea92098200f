from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partseg.geometry.io.polygons import strip_triangles, triangulate


def _signed_area(polygon: np.ndarray) -> float:
    x, y = polygon.T
    return float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0.2, 3), st.floats(0.3, 1)), min_size=4, max_size=25), st.booleans())
def test_star_shaped_polygons_are_tiled(rays, turned):
    """Any polygon star-shaped about the origin: areas all positive, summing to the polygon's, edges used rightly."""
    radius, step = np.array(rays).T
    angle = np.cumsum(step) / step.sum() * 2 * np.pi
    if np.diff(np.append(angle, angle[0] + 2 * np.pi)).max() >= np.pi:
        return
    flat = np.stack([np.cos(angle), np.sin(angle)], 1) * radius[:, None]
    plane = np.array([[0.36, 0.48, -0.8], [-0.8, 0.6, 0.0]])
    vertices = flat @ plane + np.array([3.0, -2.0, 5.0])
    order = np.arange(len(flat))[::-1] if turned else np.arange(len(flat))
    corners, polygon = triangulate(vertices, order, np.array([len(flat)]))
    assert corners.shape == (len(flat) - 2, 3)
    assert (polygon == 0).all()
    areas = np.array([_signed_area(flat[order[t]]) for t in corners])
    whole = _signed_area(flat[order])
    assert (areas * np.sign(whole) > -1e-9 * abs(whole)).all()
    assert areas.sum() == pytest.approx(whole, rel=1e-9)


def test_concave_quads_are_cut_at_the_reflex_corner():
    vertices = np.array([[0, 0, 0], [4, 0, 0], [1, 1, 0], [0, 4, 0]], float)  # an arrow head, reflex at 2
    for shift in range(4):
        corners, _ = triangulate(vertices, np.roll(np.arange(4), shift), np.array([4]))
        order = np.roll(np.arange(4), shift)
        areas = [_signed_area(vertices[order[t], :2]) for t in corners]
        assert min(areas) > 0
        assert sum(areas) == pytest.approx(4)


def test_mixed_sizes_keep_order():
    vertices = np.random.default_rng(0).normal(size=(10, 3))
    corners, polygon = triangulate(vertices, np.arange(10), np.array([3, 2, 4, 0, 1]))
    assert polygon.tolist() == [0, 2, 2]
    assert corners[0].tolist() == [0, 1, 2]
    assert set(corners[1:].ravel()) == {5, 6, 7, 8}


def test_bad_corners_do_not_stop_it():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [np.nan, 1, 0], [np.inf, 0, 1]])
    corners, _ = triangulate(vertices, np.array([0, 1, 2, 3, 0, 99, -1, 1, 0]), np.array([4, 5]))
    assert corners.shape == (5, 3)


def test_flat_and_crossing_polygons_give_the_right_number():
    bow = np.array([[0, 0, 0], [1, 1, 0], [1, 0, 0], [0, 1, 0], [0.5, 2, 0]], float)
    line = np.array([[x, 0, 0] for x in (0, 3, 1, 4, 2)], float)
    corners, _ = triangulate(np.concatenate([bow, line]), np.arange(10), np.array([5, 5]))
    assert corners.shape == (6, 3)


def test_strips():
    values = np.array([0, 1, 2, 3, 3, 4, -1, 5, 6, 7, 8, -1, 1, 2])
    triangles = strip_triangles(values, np.array([14]))
    assert triangles.tolist() == [[0, 1, 2], [2, 1, 3], [5, 6, 7], [7, 6, 8]]
    assert strip_triangles(np.array([0, 1, 2, 3, 4, 5]), np.array([3, 3])).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert strip_triangles(np.array([0, 1]), np.array([2])).shape == (0, 3)


def test_a_comb_of_thousands_of_corners_is_tiled():
    teeth = np.arange(4000)
    top = np.stack([teeth[::-1] / 4000, 1 + (teeth % 2) * 3.0], 1)
    flat = np.concatenate([[[0.0, 0.0], [1.0, 0.0]], top])
    vertices = np.concatenate([flat, np.zeros((len(flat), 1))], axis=1)
    corners, _ = triangulate(vertices, np.arange(len(flat)), np.array([len(flat)]))
    areas = np.array([_signed_area(flat[t]) for t in corners])
    assert areas.min() > -1e-12
    assert areas.sum() == pytest.approx(_signed_area(flat))
