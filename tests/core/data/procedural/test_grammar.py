"""The grammar itself: symmetry operations, shared surfaces, levels, sampling, determinism."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partseg.data.procedural import FAMILIES, generate
from partseg.data.procedural.curves import rotation
from partseg.data.procedural.grammar import finish, four, mirrored, part, stepped, turned
from partseg.data.procedural.primitives import box, cylinder, lathe, lathe_groups


def test_same_seed_same_shape() -> None:
    for family in ("chair", "flange", "assembly"):
        a, b = generate(3, 5, family), generate(3, 5, family)
        np.testing.assert_array_equal(a.vertices, b.vertices)
        np.testing.assert_array_equal(a.faces, b.faces)
        np.testing.assert_array_equal(a.face_leaf, b.face_leaf)
        assert a.names == b.names
        first, second = (x.sample(500, np.random.default_rng(1)) for x in (a, b))
        np.testing.assert_array_equal(first.points, second.points)
        other = generate(3, 6, family)
        assert other.vertices.shape != a.vertices.shape or not np.array_equal(other.vertices, a.vertices)


def test_family_drawn_when_not_named() -> None:
    drawn = {generate(0, i).family for i in range(300)}
    assert len(drawn) > 0.9 * len(FAMILIES)
    assert generate(0, 7).family == generate(0, 7).family


def test_unknown_family_is_named() -> None:
    with pytest.raises(KeyError, match="chairs"):
        generate(0, 0, "chairs")


def test_levels_of_a_known_tree() -> None:
    leg = part("leg", cylinder((1, 0, 1), (1, 1, 1), 0.1))
    root = part(
        "table",
        part("top", box((2.4, 0.1, 2.4), (0, 1, 0))),
        part("base", four("legs", leg), part("bar", box((2, 0.1, 0.1)))),
    )
    shape = finish(root, "table")
    assert {level: len(nodes) for level, nodes in shape.level_nodes.items()} == {"coarse": 2, "middle": 3, "fine": 6}
    assert [shape.names[i] for i in shape.level_nodes["middle"]] == ["top", "legs", "bar"]
    tree = shape.hierarchy
    assert sorted(s.kind for s in tree.symmetry if s) == ["reflective"] * 3
    assert tree.instance_id[[i for i, n in enumerate(tree.name) if n == "leg"]].tolist() == [0, 1, 2, 3]


def test_patches_of_one_surface_stay_joined_through_symmetry() -> None:
    profile = np.array([[0, 0], [1, 0], [1, 1], [0.5, 2], [0, 2]])
    low, high = lathe(profile, 12).split(lathe_groups(profile, 12, [0, 0, 1, 1]), 2)
    bottle = part("bottle", part("body", low), part("neck", high)).moved(3, 0, 0)
    shape = finish(mirrored("bottles", bottle), "pair")
    assert len(shape.vertices) == 2 * (2 + 3 * 12)  # nothing doubled at the seam
    for leaf_a, leaf_b in ((0, 1), (2, 3)):
        a, b = (set(shape.faces[shape.face_leaf == leaf].ravel().tolist()) for leaf in (leaf_a, leaf_b))
        assert len(a & b) == 12


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(["mirror", "turn", "step"]),
    st.integers(2, 7),
    st.lists(st.floats(-3, 3), min_size=6, max_size=6),
    st.floats(0.1, 6.2),
)
def test_repeats_survive_any_similarity(kind: str, fold: int, numbers: list[float], angle: float) -> None:
    direction = np.array(numbers[:3]) + (0, 4, 0)
    point = numbers[3:]
    one = part("a", box((1, 2, 3), (4, 5, 6)))
    group = {
        "mirror": lambda: mirrored("g", one, direction, point),
        "turn": lambda: turned("g", one, fold, direction, point),
        "step": lambda: stepped("g", one, fold, direction),
    }[kind]()
    # Mirrored as a whole, then turned: what records a symmetry must follow both.
    group = group.mapped(np.diag([-1.0, 1, 1]), (1, 2, 3)).rotated((1, 2, 3), angle)
    shape = finish(part("root", group, part("b", box((1, 1, 1)))), "test", linear=rotation((3, 1, 2), angle))
    tree = shape.hierarchy
    node = tree.name.index("g")
    symmetry = tree.symmetry[node]
    children = tree.children(node)
    first = shape.vertices[shape.faces[tree.members(children[0])]].reshape(-1, 3)
    for copy, child in enumerate(children):
        # Copies keep vertex order; a mirrored face lists its corners backwards.
        faces = shape.faces[tree.members(child)]
        other = shape.vertices[faces[:, ::-1] if kind == "mirror" and copy else faces].reshape(-1, 3)
        np.testing.assert_allclose(symmetry.apply(first, copy), other, atol=2e-5)


def test_samples_lie_on_their_faces() -> None:
    shape = generate(1, 2, "airplane")
    s = shape.sample(4000, np.random.default_rng(0))
    assert s.points.dtype == s.normals.dtype == np.float32 and s.face_index.dtype == np.int32
    corner = shape.vertices[shape.faces[s.face_index]].astype(float)
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    np.testing.assert_allclose((normal * s.normals).sum(1), 1, atol=1e-3)
    assert np.abs(((s.points - corner[:, 0]) * normal).sum(1)).max() < 1e-4
    for level, labels in s.labels.items():
        np.testing.assert_array_equal(labels, shape.labels(level)[s.face_index])


def test_sampling_is_uniform_over_area() -> None:
    shape = generate(1, 2, "table")
    corner = shape.vertices[shape.faces].astype(float)
    area = np.linalg.norm(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1)
    n = 40_000
    s = shape.sample(n, np.random.default_rng(0))
    share = np.bincount(shape.face_leaf[s.face_index]) / n
    wanted = np.bincount(shape.face_leaf, weights=area) / area.sum()
    assert np.abs(share - wanted).max() < 3 / np.sqrt(n)
    # The order carries no information: any prefix is a sample too.
    half = np.bincount(shape.face_leaf[s.face_index[: n // 4]], minlength=len(wanted)) / (n // 4)
    assert np.abs(half - wanted).max() < 6 / np.sqrt(n // 4)
    assert len(shape.sample(0, np.random.default_rng(0)).points) == 0


def test_leaf_without_faces_is_refused() -> None:
    mesh = box((1, 1, 1))
    empty = mesh.split(np.zeros(len(mesh.faces), int), 2)[1]
    with pytest.raises(ValueError, match="no faces"):
        finish(part("a", part("b", mesh), part("c", empty)), "bad")
    with pytest.raises(ValueError, match="needs either"):
        part("nothing")
