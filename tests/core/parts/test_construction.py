from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from partseg.data.formats.symh import SymhReader
from partseg.data.procedural import FAMILIES, generate
from partseg.errors import PartsegError
from partseg.geometry.shape import Shape
from partseg.parts.construction import Node, emit, moved, symmetry_hierarchy
from partseg.parts.hierarchy import NodeKind, PartHierarchy, Symmetry
from partseg.parts.templates import classes_of, co_adjacency, random_hierarchy, template_from, template_hierarchy

BOX = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) / 2
FACES = np.array(
    [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1], [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4],
     [1, 5, 7], [1, 7, 3]]
)  # fmt: skip


def boxes(*parts: tuple[tuple[float, float, float], tuple[float, float, float]]) -> tuple[Shape, np.ndarray]:
    """A shape of boxes, each (centre, size) a part."""
    vertices = np.concatenate([BOX * size + np.array(centre) for centre, size in parts])
    faces = np.concatenate([FACES + 8 * i for i in range(len(parts))])
    return Shape.from_mesh(vertices, faces), np.repeat(np.arange(len(parts)), 12)


LEG, FOOT = (0.08, 0.6, 0.08), (0.14, 0.04, 0.11)
TABLE = [((0, 0, 0), (1.4, 0.06, 0.9))]
TABLE += [((x, -0.33, z), LEG) for x in (-0.6, 0.6) for z in (-0.35, 0.35)]
TABLE += [((x, -0.65, z), FOOT) for x in (-0.6, 0.6) for z in (-0.35, 0.35)]


def below(tree: PartHierarchy, node: int) -> set[int]:
    """Parts under a node, by their names."""
    return {int(tree.name[leaf][5:]) for leaf in tree.leaves if leaf == node or above(tree, int(leaf), node)}


def above(tree: PartHierarchy, node: int, top: int) -> bool:
    while node >= 0 and node != top:
        node = int(tree.parent[node])
    return node == top


def check(tree: PartHierarchy, shape: Shape, labels: np.ndarray, tolerance: float) -> None:
    """A binary tree over the parts whose symmetries carry the first copy's box onto each copy's, at every depth."""
    assert sorted(tree.name[i] for i in tree.leaves) == sorted(f"part_{i}" for i in range(labels.max() + 1))
    for leaf in tree.leaves.tolist():
        assert np.array_equal(tree.mask(leaf), labels == int(tree.name[leaf][5:]))
    for node in range(tree.n_parts):
        children, one = tree.children(node), tree.symmetry[node]
        if one is None:
            assert len(children) == (0 if tree.kind[node] == NodeKind.LEAF else 2)
            continue
        assert tree.kind[node] == NodeKind.SYMMETRY and len(children) == one.fold
        first = shape.vertices[np.unique(shape.faces[tree.mask(children[0])])]
        for copy, child in enumerate(children):
            there = shape.vertices[np.unique(shape.faces[tree.mask(child)])]
            image = one.apply(first, copy)
            np.testing.assert_allclose(image.min(0), there.min(0), atol=tolerance)
            np.testing.assert_allclose(image.max(0), there.max(0), atol=tolerance)


def test_a_table() -> None:
    """Legs with feet, mirrored twice, then joined to the top."""
    shape, labels = boxes(*TABLE)
    tree = symmetry_hierarchy(shape, labels)
    check(tree, shape, labels, 1e-6)
    assert tree.kind[0] == NodeKind.ADJACENCY
    outer = next(i for i in tree.children(0) if tree.kind[i] == NodeKind.SYMMETRY)
    assert below(tree, outer) == set(range(1, 9))
    inner = tree.children(outer)[0]
    assert tree.kind[inner] == NodeKind.SYMMETRY
    assert {tree.symmetry[i].kind for i in (outer, inner)} == {"reflective"}
    corner = tree.children(inner)[0]
    assert {part % 4 for part in below(tree, corner)} == {min(below(tree, corner)) % 4}  # one leg and its own foot
    axes = np.abs([tree.symmetry[i].direction for i in (outer, inner)])
    np.testing.assert_allclose(sorted(axes.tolist()), [[0, 0, 1], [1, 0, 0]], atol=1e-9)


def test_a_row_is_not_cut_in_halves_by_its_mirror() -> None:
    slats = [((0.2 * i, 0, 0), (0.1, 1.0, 0.03)) for i in range(6)]
    shape, labels = boxes(*slats, ((0.5, 0.55, 0), (1.3, 0.1, 0.05)))
    tree = symmetry_hierarchy(shape, labels)
    check(tree, shape, labels, 1e-6)
    (row,) = [s for s in tree.symmetry if s is not None]
    assert (row.kind, row.fold) == ("translational", 6) and row.step == pytest.approx(0.2)


def test_touching_parts_are_joined_before_others() -> None:
    shape, labels = boxes(
        ((0, 0, 0), (1, 1, 1)),
        ((0, 0.55, 0), (0.5, 0.1, 0.3)),
        ((3, 0, 0), (0.7, 0.2, 0.4)),
        ((3, 0.15, 0), (0.3, 0.1, 0.2)),
    )
    tree = symmetry_hierarchy(shape, labels)
    assert {frozenset(below(tree, child)) for child in tree.children(0)} == {frozenset({0, 1}), frozenset({2, 3})}


@pytest.mark.parametrize("family", ["chair", "bicycle", "umbrella", "keyboard"])
def test_procedural_shapes(family: str) -> None:
    made = generate(1, 0, family if family in FAMILIES else "chair")
    shape, labels = Shape.from_mesh(made.vertices.astype(float), made.faces), made.face_leaf.astype(np.int64)
    tree = symmetry_hierarchy(shape, labels)
    check(tree, shape, labels, 0.02 * 1.8)
    again = symmetry_hierarchy(shape, labels)
    assert again.to_json() == tree.to_json()


def test_true_groups_are_in_the_tree() -> None:
    """Corresponding parts of the true copies stand under different copies of one node with as many copies."""
    found, total = 0, 0
    for index in range(27):
        made = generate(5, index, sorted(FAMILIES)[2 * index % len(FAMILIES)])
        truth, labels = made.hierarchy, made.face_leaf.astype(np.int64)
        tree = symmetry_hierarchy(Shape.from_mesh(made.vertices.astype(float), made.faces), labels)
        node_of = {int(tree.name[leaf][5:]): int(leaf) for leaf in tree.leaves}
        rank = {leaf: i for i, leaf in enumerate(truth.leaves.tolist())}
        for node in np.flatnonzero(truth.kind == NodeKind.SYMMETRY).tolist():
            copies = [
                [rank[leaf] for leaf in truth.leaves.tolist() if above(truth, leaf, child)]
                for child in truth.children(node)
            ]
            total += 1
            found += all(related(tree, [node_of[part] for part in orbit]) for orbit in zip(*copies, strict=True))
    assert total > 60 and found >= 0.9 * total, (found, total)


def related(tree: PartHierarchy, leaves: list[int]) -> bool:
    paths = []
    for leaf in leaves:
        path = [leaf]
        while path[-1] != 0:
            path.append(int(tree.parent[path[-1]]))
        paths.append(path[::-1])
    shared = max(i for i, step in enumerate(zip(*paths, strict=False)) if len(set(step)) == 1)
    node = paths[0][shared]
    symmetry = tree.symmetry[node]
    return symmetry is not None and symmetry.fold == len({path[shared + 1] for path in paths}) == len(leaves)


def test_real_chairs(test_data: Callable[[str], Path]) -> None:
    """The groups of a released hierarchy, from the parts of the mesh alone.

    The release mirrors four slats of the back and leaves the one between them; all five stand on an arc.
    """
    reader = SymhReader(test_data("partnet_samples") / "partnet_symh")
    sample = reader.load(reader.index()[1])
    labels, truth = sample.labels["leaves"], sample.hierarchy
    tree = symmetry_hierarchy(sample.shape, labels)
    check(tree, sample.shape, labels, 0.1)
    groups = {tree.symmetry[i].fold: tree.mask(i) for i in range(tree.n_parts - 1, -1, -1) if tree.symmetry[i]}
    slats, legs = (truth.mask(i) for i in range(truth.n_parts) if truth.symmetry[i] is not None)
    assert sorted(groups) == [2, 5] and np.array_equal(groups[2], legs)
    assert (groups[5] & slats).sum() == slats.sum() and len(np.unique(labels[groups[5] & ~slats])) == 1


def test_moved_symmetries_do_what_the_copies_do() -> None:
    rng = np.random.default_rng(0)
    xyz = rng.normal(size=(5, 3))
    unit = lambda: tuple((v := rng.normal(size=3)) / np.linalg.norm(v))  # noqa: E731
    kinds = [("reflective", 2, 0.0), ("rotational", 3, 0.7), ("translational", 4, 0.3)]
    make = lambda kind, fold, step: Symmetry(kind, tuple(rng.normal(size=3)), unit(), fold, step)  # noqa: E731
    for inner in (make(*k) for k in kinds):
        for outer in (make(*k) for k in kinds):
            image = moved(inner, outer, 1).apply(outer.apply(xyz), 1)
            np.testing.assert_allclose(image, outer.apply(inner.apply(xyz)), atol=1e-12)


def test_nested_copies() -> None:
    mirror = Symmetry("reflective", (0, 0, 0), (1, 0, 0))
    row = Symmetry("translational", (0, 0, 0), (0, 1, 0), 2, 1.0)
    pair = Node(children=(Node(2),), symmetry=row, copies=({2: 2}, {2: 0}))
    tree = emit(Node(children=(pair,), symmetry=mirror, copies=({2: 2, 0: 0}, {2: 3, 0: 1})), np.arange(4))
    assert [tree.name[leaf] for leaf in tree.leaves] == ["part_2", "part_0", "part_3", "part_1"]
    assert [tree.name[node] for node in tree.leaf_of] == [f"part_{i}" for i in range(4)]


def test_single_parts_and_bad_labels() -> None:
    shape, labels = boxes(*TABLE)
    alone = symmetry_hierarchy(shape, np.zeros(len(labels), np.int64))
    assert alone.n_parts == 1 and len(alone.leaf_of) == len(labels)
    some = np.where(labels == 0, -1, labels - 1)
    assert (symmetry_hierarchy(shape, some).leaf_of < 0).sum() == 12
    for build in (lambda x: symmetry_hierarchy(shape, x), lambda x: random_hierarchy(x, 0)):
        with pytest.raises(PartsegError, match="has none"):
            build(labels * 2)
        with pytest.raises(PartsegError):
            build(labels * 0 - 1)


def test_a_cloud() -> None:
    shape, labels = boxes(*TABLE)
    sampled = shape.sampled(9000, seed=3)
    cloud = Shape.from_points(sampled.points)
    tree = symmetry_hierarchy(cloud, labels[sampled.face_index])
    outer = [i for i in range(tree.n_parts) if tree.symmetry[i] is not None and below(tree, i) >= set(range(1, 5))]
    assert outer and tree.symmetry[outer[0]].kind in ("reflective", "rotational")


CLASSES = np.array([0, 1, 1, 1, 1, 2, 2, 2, 2])


def test_template_is_the_same_for_every_shape() -> None:
    _, labels = boxes(*TABLE)
    template = ((3, 0), (1, 2))
    tree = template_hierarchy(labels, CLASSES[labels], template)
    top, legs = tree.children(0)
    assert below(tree, top) == {0} and below(tree, legs) == set(range(1, 9))  # class 3 is not there
    assert [below(tree, i) for i in tree.children(legs)] == [{1, 2, 3, 4}, {5, 6, 7, 8}]
    assert tree.semantic_id[tree.leaves].tolist() == [0, 1, 1, 1, 1, 2, 2, 2, 2]
    assert all(len(tree.children(i)) in (0, 2) for i in range(tree.n_parts))
    assert np.array_equal(tree.cut(level="parts"), labels)
    fewer = template_hierarchy(labels[:60], CLASSES[labels[:60]], template)
    assert [below(fewer, i) for i in fewer.children(0)] == [{0}, {1, 2, 3, 4}]


def test_bad_templates() -> None:
    _, labels = boxes(*TABLE)
    with pytest.raises(PartsegError, match="lacks class 2; it has 0, 1"):
        template_hierarchy(labels, CLASSES[labels], (0, 1))
    with pytest.raises(PartsegError, match="every class once"):
        template_hierarchy(labels, CLASSES[labels], ((0, 1), (1, 2)))
    with pytest.raises(PartsegError, match="pairs and class numbers"):
        classes_of((0, 1, 2))  # type: ignore[arg-type]
    with pytest.raises(PartsegError, match="part 0 has elements of class 0 and 1"):
        template_hierarchy(labels * 0, CLASSES[labels].clip(max=1), (0, 1))


def test_template_from_what_touches() -> None:
    shape, labels = boxes(*TABLE)
    counts = co_adjacency(shape, labels, CLASSES[labels], 4)
    assert counts.tolist() == [[0, 4, 0, 0], [4, 0, 4, 0], [0, 4, 0, 0], [0, 0, 0, 0]]
    assert template_from(counts) == (((0, 1), 2), 3)
    assert template_from(
        counts + np.diag([0, 1, 0, 0]) * 0 + np.array([[0, 0, 0, 9], *[[0] * 4] * 2, [9, 0, 0, 0]])
    ) == (
        (0, 3),
        (1, 2),
    )
    with pytest.raises(PartsegError, match=r"classes 0\.\.1, found 0\.\.2"):
        co_adjacency(shape, labels, CLASSES[labels], 2)
    with pytest.raises(PartsegError, match="square"):
        template_from(np.zeros((2, 3)))


def test_random_trees() -> None:
    labels = np.repeat(np.arange(7), 3)
    one, same, other = (random_hierarchy(labels, seed) for seed in (1, 1, 2))
    assert one.to_json() == same.to_json() != other.to_json()
    assert len(one.leaves) == 7 and one.n_parts == 13
    for leaf in one.leaves.tolist():
        assert np.array_equal(one.mask(leaf), labels == int(one.name[leaf][5:]))
