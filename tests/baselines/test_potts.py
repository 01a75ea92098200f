"""The mixture and the Potts field against exhaustive search."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from sklearn.mixture import GaussianMixture

from partseg_baselines.potts import directed_rows, mixture_costs, potts_labels


def energy(labels: np.ndarray, unary: np.ndarray, edges: np.ndarray, weight: np.ndarray) -> float:
    cut = labels[edges[:, 0]] != labels[edges[:, 1]]
    return float(unary[np.arange(len(labels)), labels].sum() + weight[cut].sum())


@pytest.mark.parametrize("seed", range(5))
def test_a_tree_is_labelled_optimally(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, k = 8, 3
    edges = np.array([[rng.integers(i), i] for i in range(1, n)])
    unary, weight = rng.random((n, k)), rng.random(n - 1)
    best = min(energy(np.array(x), unary, edges, weight) for x in product(range(k), repeat=n))
    found = potts_labels(unary, edges, weight)
    assert energy(found, unary, edges, weight) == pytest.approx(best, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_a_grid_is_labelled_near_the_optimum(seed: int) -> None:
    rng = np.random.default_rng(seed)
    at = np.arange(12).reshape(3, 4)
    edges = np.concatenate(
        [np.stack([at[:, :-1], at[:, 1:]], -1).reshape(-1, 2), np.stack([at[:-1], at[1:]], -1).reshape(-1, 2)]
    )
    unary, weight = rng.random((12, 2)), 0.5 * rng.random(len(edges))
    best = min(energy(np.array(x), unary, edges, weight) for x in product(range(2), repeat=12))
    assert energy(potts_labels(unary, edges, weight), unary, edges, weight) <= 1.02 * best + 1e-9


def test_without_edges_each_element_takes_its_cheapest_label() -> None:
    unary = np.random.default_rng(0).random((20, 4))
    found = potts_labels(unary, np.empty((0, 2), int), np.empty(0))
    assert (found == unary.argmin(1)).all()


def test_directed_rows_know_their_reverse() -> None:
    edges = np.array([[0, 1], [1, 2], [0, 3], [1, 3]])
    indptr, indices, reverse, edge = directed_rows(edges, 5)
    source = np.repeat(np.arange(5), np.diff(indptr))
    assert (indices[reverse] == source).all()
    assert (source[reverse] == indices).all()
    assert (np.sort(np.stack([source, indices], 1), axis=1) == edges[edge]).all()


def test_mixture_agrees_with_scikit_learn_on_separate_groups() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(0, 0.05, 300), rng.normal(1, 0.1, 200), rng.normal(3, 0.1, 100)])
    labels = mixture_costs(values, np.ones(600), 3).argmin(1)
    oracle = GaussianMixture(3, random_state=0, n_init=3).fit(values[:, None])
    rank = np.argsort(np.argsort(oracle.means_[:, 0]))
    assert (labels == rank[oracle.predict(values[:, None])]).mean() > 0.995


def test_equal_values_make_one_cluster() -> None:
    costs = mixture_costs(np.full(10, 2.0), np.ones(10), 4)
    assert costs.shape == (10, 1)
    assert np.isfinite(costs).all()
