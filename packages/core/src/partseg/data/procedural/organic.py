"""Organic figures: smooth unions of tapered limbs over random skeletons, posed, deformed and labelled at their seams.

A figure is built as limbs (see :mod:`figure`), meshed as one connected irregular surface, and labelled by the limb
whose own field is smallest, so that cuts run along concave seams and across joints. The three levels: ``coarse`` whole
limbs (head, torso, each arm), ``middle`` their segments (upper arm, forearm, hand), ``fine`` the smallest things.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from jaxtyping import Float

from partseg.data.procedural import (
    organic_animal,
    organic_bird_fish,
    organic_hand,
    organic_head,
    organic_humanoid,
    organic_limbed,
)
from partseg.data.procedural.figure import Body, Figure, Path, bumps, warp
from partseg.data.procedural.grammar import PartNode, ProceduralShape, finish

FIGURES: dict[str, Callable[[np.random.Generator], Figure]] = {
    "human": organic_humanoid.human,
    "quadruped": organic_animal.quadruped,
    "hand": organic_hand.hand,
    "bird": organic_bird_fish.bird,
    "fish": organic_bird_fish.fish,
    "insect": organic_limbed.insect,
    "octopus": organic_limbed.octopus,
    "teddy": organic_humanoid.teddy,
    "armadillo": organic_humanoid.armadillo,
    "bust": organic_head.bust,
    "dinosaur": organic_animal.dinosaur,
    "limb tree": organic_limbed.limb_tree,
    "starfish": organic_limbed.starfish,
    "worm": organic_limbed.worm,
    "cactus": organic_limbed.cactus,
    "plant": organic_limbed.plant,
}
"""Skeletons by kind."""

# How often each kind is drawn: the rare ones say little about limbs.
_WEIGHT = {"human": 3, "quadruped": 3, "hand": 2, "bird": 2, "fish": 2, "insect": 2, "octopus": 1.5, "teddy": 1.5,
           "armadillo": 1.5, "bust": 1.2, "limb tree": 2, "dinosaur": 1, "starfish": 0.3, "worm": 0.3, "cactus": 0.5,
           "plant": 0.5}  # fmt: skip


def part_tree(name: str, paths: list[Path]) -> tuple[PartNode, list[int]]:
    """Nested parts of the paths, and the index of the path of each leaf in depth-first order.

    A path that is a prefix of another becomes a leaf of the same name beside the deeper ones.
    """
    root = PartNode(name)
    nodes: dict[Path, PartNode] = {(): root}
    longer = {p[:i] for p in paths for i in range(1, len(p))}
    leaf_path: dict[int, int] = {}
    for number, path in enumerate(paths):
        full = (*path, path[-1]) if path in longer else path
        for depth in range(1, len(full) + 1):
            key = full[:depth]
            if key not in nodes:
                nodes[key] = PartNode(key[-1].split("@")[0])
                nodes[key[:-1]].children.append(nodes[key])
        leaf_path[id(nodes[full])] = number
    for node in nodes.values():  # a part of a single part is that part
        while len(node.children) == 1:
            only = node.children[0]
            if id(only) in leaf_path:
                leaf_path[id(node)] = leaf_path.pop(id(only))
            node.children = only.children
    return root, [leaf_path[id(leaf)] for leaf in root.leaves()]


def organic(
    rng: np.random.Generator,
    kind: str | None = None,
    *,
    seed: int = 0,
    index: int = 0,
    extent: float = 1.8,
    linear: Float[np.ndarray, "3 3"] | None = None,
    n_faces: int | None = None,
) -> ProceduralShape:
    """One organic figure as a single connected surface.

    Args:
        rng: source of everything random; the result depends on nothing else.
        kind: a key of ``FIGURES``; drawn if None.
        seed, index: recorded in the result.
        extent: longest side of the box.
        linear: rotation applied to the finished figure.
        n_faces: approximate number of triangles (log-uniform 4k…16k if None).

    Raises:
        KeyError: unknown ``kind``.
    """
    if kind is None:
        weight = np.array([_WEIGHT[name] for name in FIGURES])
        kind = str(rng.choice(list(FIGURES), p=weight / weight.sum()))
    if n_faces is None:
        n_faces = int(np.exp(rng.uniform(np.log(4000), np.log(16000))))
    body = FIGURES[kind](rng).build(n_faces, jitter=rng.uniform(0.0, 0.22))
    root, leaf_path = part_tree(kind, body.paths)
    number = np.empty(len(leaf_path), np.int64)
    number[leaf_path] = np.arange(len(leaf_path))
    vertices = deform(rng, body)
    return finish(root, kind, seed, index, extent, linear, surface=(vertices, body.faces, number[body.part]))


def deform(rng: np.random.Generator, body: Body) -> Float[np.ndarray, "v 3"]:
    """Vertices of the body after a random warp, skin detail and noise."""
    vertices = warp(rng, body.vertices, rng.choice([0.0, 0.5, 1.0], p=[0.25, 0.45, 0.3]))
    if rng.random() < 0.5:
        vertices = bumps(rng, vertices, body.faces, rng.uniform(0, 0.004), rng.uniform(12, 50))
    if rng.random() < 0.4:
        edge = np.linalg.norm(vertices[body.faces[:, 0]] - vertices[body.faces[:, 1]], axis=1).mean()
        vertices = vertices + rng.normal(scale=rng.uniform(0, 0.06) * edge, size=vertices.shape)
    return vertices


ORGANIC: dict[str, Callable[[np.random.Generator], ProceduralShape]] = {
    kind: partial(organic, kind=kind) for kind in FIGURES
}
"""Finished shapes by kind."""
