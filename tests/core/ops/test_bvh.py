"""Ray casting against brute force."""

from __future__ import annotations

import numpy as np
import pytest

from partseg.ops.bvh import LANES, LEAF, build_bvh, first_hits


def brute_hits(triangles: np.ndarray, origins: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Distance of the nearest hit, by solving three equations for every pair of ray and triangle."""
    out = np.full(len(origins), np.inf)
    for i, (o, d) in enumerate(zip(origins, directions, strict=True)):
        for a, b, c in triangles:
            system = np.stack([b - a, c - a, -d], axis=1)
            if abs(np.linalg.det(system)) < 1e-12:
                continue
            u, v, t = np.linalg.solve(system, o - a)
            if u >= 0 and v >= 0 and u + v <= 1 and t > 0:
                out[i] = min(out[i], t)
    return out


@pytest.mark.parametrize(("f", "rays"), [(1, 1), (LEAF, LANES), (LEAF + 1, LANES + 1), (40, 40), (300, 16)])
def test_first_hits_equal_brute_force(f: int, rays: int) -> None:
    rng = np.random.default_rng(f)
    triangles = rng.normal(size=(f, 3, 3)) * (1 if f < 100 else 0.3) + rng.normal(size=(f, 1, 3))
    origins, directions = rng.normal(size=(12, 3)), rng.normal(size=(12, rays, 3))
    directions[6:] += triangles[rng.integers(f, size=6)].mean(1)[:, None] - origins[6:, None]  # half aim at one
    directions[6:, 0] = triangles[0].mean(0) - origins[6:]
    directions[:6, 0] = np.concatenate([np.eye(3), -np.eye(3)])  # along the axes: divisions by zero
    distance, hit, _ = first_hits(build_bvh(triangles), origins, directions)
    flat = np.repeat(origins, rays, axis=0), directions.reshape(-1, 3)
    expected = brute_hits(triangles, *flat).reshape(12, rays)
    agree = np.isclose(distance, expected, rtol=1e-4)
    assert agree.mean() > 0.995  # float32: a ray through an edge may pass
    assert np.isfinite(expected).any()
    assert ((hit >= 0) == np.isfinite(distance)).all()
    # the triangle named is one that the ray meets at that distance
    for i, k in zip(*np.nonzero(hit >= 0), strict=True):
        alone = brute_hits(triangles[hit[i, k]][None], origins[i : i + 1], directions[i, k][None])
        assert np.isclose(alone[0], distance[i, k], rtol=1e-3) or not agree[i, k]


def test_direction_length_and_coordinates_scale_distances() -> None:
    rng = np.random.default_rng(0)
    triangles, origins, directions = rng.normal(size=(60, 3, 3)), rng.normal(size=(20, 3)), rng.normal(size=(20, 8, 3))
    plain = first_hits(build_bvh(triangles), origins, directions)[0]
    moved = first_hits(build_bvh(triangles * 50 + 1000), origins * 50 + 1000, directions * 5)[0]
    both = np.isfinite(plain) & np.isfinite(moved)
    assert both.mean() > 0.3
    np.testing.assert_allclose(moved[both], plain[both] * 10, rtol=1e-3)


def test_a_ray_does_not_hit_the_face_it_skips() -> None:
    triangles = np.array([[[0, 0, z], [1, 0, z], [0, 1, z]] for z in (0.0, 1.0)])
    ray = np.array([[0.2, 0.2, -1.0]]), np.array([[[0.0, 0.0, 1.0]]])
    for skip, expected in ((-1, (1.0, 0)), (0, (2.0, 1))):
        distance, hit, _ = first_hits(build_bvh(triangles), *ray, np.array([skip]))
        assert distance[0, 0] == pytest.approx(expected[0], abs=1e-6)
        assert hit[0, 0] == expected[1]


def test_leaves_hold_every_triangle_once_inside_their_boxes() -> None:
    triangles = np.random.default_rng(1).normal(size=(1000, 3, 3))
    bvh = build_bvh(triangles)
    assert sorted(bvh.order) == list(range(1000))
    leaf = bvh.link[:, 1] >= 0
    assert bvh.link[leaf, 1].sum() == 1000
    assert bvh.link[leaf, 1].max() <= LEAF
    for (first, count), box in zip(bvh.link[leaf], bvh.box[leaf], strict=True):
        inside = bvh.triangle[first : first + count].reshape(-1, 3)
        assert (inside >= box[:3]).all()
        assert (inside <= box[3:]).all()


def test_many_triangles_at_one_place_make_no_deep_tree() -> None:
    triangles = np.repeat(np.random.default_rng(0).normal(size=(1, 3, 3)), 5000, axis=0)
    assert len(build_bvh(triangles).link) < 5000
    # ever closer together: every split by cost takes one triangle off
    shrinking = triangles[:100] * 0.5 ** np.arange(100)[:, None, None]
    assert sorted(build_bvh(shrinking).order) == list(range(100))


@pytest.mark.parametrize("bad", [np.empty((0, 3, 3)), np.full((1, 3, 3), np.nan), np.full((1, 3, 3), np.inf)])
def test_no_or_endless_triangles_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="triangles"):
        build_bvh(bad)


def test_no_origins_give_no_hits() -> None:
    hits = first_hits(build_bvh(np.eye(3)[None]), np.empty((0, 3)), np.empty((0, 5, 3)))
    assert [len(part) for part in hits] == [0, 0, 0]
    assert hits.distance.shape == (0, 5)


def test_a_ray_leaves_through_a_face_that_looks_its_way() -> None:
    triangle = np.array([[[0, 0, 1.0], [1, 0, 1], [0, 1, 1]]])  # its normal is +z
    ray = np.array([[0.2, 0.2, 0.0], [0.2, 0.2, 2.0]]), np.array([[[0, 0, 1.0]], [[0, 0, -1.0]]])
    hits = first_hits(build_bvh(triangle), *ray)
    assert hits.triangle.tolist() == [[0], [0]]
    assert hits.leaving.tolist() == [[True], [False]]
