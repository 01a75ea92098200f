"""A quick look at features: what a Ward tree on them scores, for comparing designs before a full run.

sys.path.insert(0, "benchmarks/quality")
from features import evaluate_features, psb_shapes, procedural_shapes
evaluate_features(lambda shape: model_features(shape), psb_shapes(n=24, seed=1))
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from subsets import spread

from partseg.data.formats import psb
from partseg.geometry.adjacency import face_adjacency, join_components
from partseg.geometry.shape import Shape
from partseg.metrics.functional import bootstrap_interval, miou_by_cut, nested_cuts
from partseg.ops.ward import ward_tree

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, eq=False)
class Labelled:
    """A mesh, its face graph (connected), and kinds of truth: name -> list of (f,) labels."""

    shape: Shape
    edges: Int[np.ndarray, "m 2"]
    truths: dict[str, list[Int[np.ndarray, "f"]]]


def labelled(shape: Shape, truths: dict[str, list[Int[np.ndarray, "f"]]]) -> Labelled:
    """Attach the face graph once, so that it is not computed for every design."""
    edges = face_adjacency(shape.faces, vertices=shape.vertices)
    edges = np.concatenate([edges, join_components(edges, shape.element_positions)])
    return Labelled(shape, edges, truths)


def psb_shapes(n: int = 24, seed: int = 1, root: str | Path | None = None) -> list[Labelled]:
    """`n` Princeton shapes spread over the categories, with people's segmentations ("human") and labels ("label")."""
    data = root or Path(os.environ.get("PARTSEG_TEST_DATA") or REPOSITORY.parent / "shared" / "data") / "psb"
    out = []
    for item in spread(psb.index(data), n, seed):
        found = psb.load(item)
        out.append(labelled(found.shape, {"human": list(found.humans), "label": [found.labels]}))
    return out


def procedural_shapes(n: int = 24, seed: int = 0, split: str = "val") -> list[Labelled]:
    """`n` procedural meshes of a held-out split, with their nested levels "coarse", "middle" and "fine" as truths."""
    from partseg.data.procedural import LEVELS
    from partseg.data.procedural.dataset import ProceduralDataset

    dataset = ProceduralDataset(split, n, seed=seed)
    out = []
    for i in range(n):
        made = dataset.shape(i)
        shape = Shape.from_mesh(made.vertices, made.faces, name=f"{made.family}-{i}")
        out.append(labelled(shape, {level: [made.labels(level)] for level in LEVELS}))
    return out


def evaluate_features(
    fn: Callable[[Shape], Float[np.ndarray, "f d"]], shapes: Iterable[Labelled], *, max_parts: int = 20, seed: int = 0
) -> dict[str, Any]:
    """Ward trees on `fn(shape)` under face adjacency, scored as the benchmark does.

    Args:
        fn: features of the faces of a mesh, float; rows are used as they are (scale them yourself).
        shapes: from `psb_shapes`, `procedural_shapes` or `labelled`.

    Returns:
        For each kind of truth: {"best": mean best of 20 cuts (0..1), "interval": its 95 % bootstrap interval, "parts":
        mean with 1…20 parts, "per_shape": best of each shape}.
    """
    best: dict[str, list[float]] = {}
    parts: dict[str, list[Float[np.ndarray, "k"]]] = {}
    for one in shapes:
        cuts = nested_cuts(ward_tree(np.asarray(fn(one.shape), np.float32), one.edges), max_parts)
        for kind, truths in one.truths.items():
            table = np.array([miou_by_cut(cuts, truth) for truth in truths])
            table = np.pad(table, ((0, 0), (0, max_parts - table.shape[1])), mode="edge")
            best.setdefault(kind, []).append(float(table.max(1).mean()))
            parts.setdefault(kind, []).append(table.mean(0))
    return {
        kind: {
            "best": float(np.mean(values)),
            "interval": bootstrap_interval(np.array(values), seed=seed),
            "parts": np.mean(parts[kind], axis=0),
            "per_shape": np.array(values),
        }
        for kind, values in best.items()
    }
