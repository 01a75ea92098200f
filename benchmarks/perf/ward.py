"""Ward tree against scikit-learn: time, agreement of the partitions, memory at a million faces."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from inputs import fourier_features, torus
from table import Row, seconds

from partseg.geometry.adjacency import face_adjacency
from partseg.ops import ward_merges, ward_tree
from partseg.parts.tree import MergeTree

SPEED_TARGET = 15.0
MEMORY_TARGET = 4.0  # GB, the whole process
MILLION = 1_000_000


def compare(n_faces: int, repeats: int) -> list[Row]:
    """Same features and graph for both; medians over alternating runs, so that a busy machine slows both alike."""
    from scipy.sparse import coo_matrix
    from sklearn.cluster import ward_tree as sklearn_ward
    from sklearn.metrics import adjusted_rand_score

    vertices, faces = torus(n_faces)
    features, edges = fourier_features(vertices, faces), face_adjacency(faces)
    one_way = coo_matrix((np.ones(len(edges)), edges.T), shape=(len(faces), len(faces)))
    graph = (one_way + one_way.T).tocsr()
    ward_tree(features[:1000], np.stack([np.arange(999), np.arange(1, 1000)], axis=1))  # compiles
    ours, theirs = [], []
    for _ in range(repeats):
        for _ in range(3):
            start = time.perf_counter()
            children, _ = ward_merges(features, edges)
            ours.append(time.perf_counter() - start)
        start = time.perf_counter()
        expected = sklearn_ward(features, connectivity=graph)[0]
        theirs.append(time.perf_counter() - start)
    order = np.arange(float(len(children)))
    tree, peer = MergeTree(children, order), MergeTree(np.asarray(expected), order)
    agreement = min(adjusted_rand_score(tree.cut(k), peer.cut(k)) for k in range(2, 21))
    ratio = np.median(theirs) / np.median(ours)
    where = f"{len(faces):,} faces x {features.shape[1]}"
    return [
        Row(
            "Ward tree (peer: scikit-learn)",
            where,
            seconds(np.median(ours)),
            seconds(np.median(theirs)),
            f"{ratio:.1f}x",
            f">= {SPEED_TARGET:.0f}x",
            bool(ratio >= SPEED_TARGET),
        ),
        Row(
            "… least ARI with the peer's 2…20 parts",
            where,
            f"{agreement:.6f}",
            "1",
            "",
            "1",
            bool(agreement == 1.0),
        ),
    ]


def million() -> Row:
    """Peak memory of a process of its own that makes the features and builds the tree."""
    done = subprocess.run([sys.executable, str(Path(__file__).resolve())], capture_output=True, text=True, check=True)
    result = json.loads(done.stdout.splitlines()[-1])
    return Row(
        "Ward tree, peak memory of the whole process",
        f"{result['faces']:,} faces x {result['channels']} ({result['features_gb']:.2f} GB of features)",
        f"{result['peak_gb']:.2f} GB (tree in {seconds(result['tree_s'])}, adjacency {seconds(result['adjacency_s'])})",
        "",
        "",
        f"<= {MEMORY_TARGET:.0f} GB",
        result["peak_gb"] <= MEMORY_TARGET,
    )


def _million_faces() -> dict[str, float]:
    import resource

    vertices, faces = torus(MILLION)
    start = time.perf_counter()
    edges = face_adjacency(faces, vertices=vertices)
    adjacency = time.perf_counter() - start
    features = fourier_features(vertices, faces)
    start = time.perf_counter()
    tree = ward_tree(features, edges)
    took = time.perf_counter() - start
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in kilobytes on Linux
    return {
        "faces": tree.n_leaves,
        "channels": features.shape[1],
        "features_gb": features.nbytes / 1e9,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9,
        "tree_s": took,
        "adjacency_s": adjacency,
    }


if __name__ == "__main__":
    print(json.dumps(_million_faces()))
