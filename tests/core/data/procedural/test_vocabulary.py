"""Every part that a family or a figure makes has a number."""

from __future__ import annotations

import numpy as np
import pytest

from partseg.data.procedural import FAMILIES, family_names, generate
from partseg.data.procedural.fused import fuse
from partseg.data.procedural.grammar import flatten, semantic_id
from partseg.data.procedural.organic import FIGURES
from partseg.data.procedural.vocabulary import PART_IDS, PART_NAMES


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_thirty_shapes_of_a_family_use_known_names(family):
    names = {name for i in range(30) for name in flatten(FAMILIES[family](np.random.default_rng([77, i])))[1]}
    assert names <= set(PART_IDS)


@pytest.mark.parametrize("kind", FIGURES)
def test_thirty_figures_of_a_kind_use_known_names(kind):
    paths = [path for i in range(30) for path in FIGURES[kind](np.random.default_rng([77, i])).limb_path]
    assert {name.split("@")[0] for path in paths for name in path} | {kind} <= set(PART_IDS)


def test_numbers_are_places():
    assert len(set(PART_NAMES)) == len(PART_NAMES)
    assert [PART_IDS[name] for name in PART_NAMES] == list(range(len(PART_NAMES)))
    assert semantic_id("seat") == PART_NAMES.index("seat") and semantic_id("no such part") == -1


@pytest.mark.parametrize("family", ["chair", "hand", "limb_tree"])
def test_hierarchies_carry_the_numbers(family):
    shape = generate(3, 1, family)
    h = shape.hierarchy
    assert [PART_NAMES[i] for i in h.semantic_id] == list(shape.names) == list(h.name)


def test_generate_knows_every_family_and_fuses():
    assert set(FAMILIES) < set(family_names()) and {name.replace(" ", "_") for name in FIGURES} < set(family_names())
    assert family_names() == sorted(family_names())
    plain, fused = generate(2, 5, "mug"), generate(2, 5, "mug", fused=True)
    np.testing.assert_array_equal(fused.faces, fuse(plain, np.random.default_rng([2, 5, 1])).faces)
    np.testing.assert_array_equal(generate(2, 5, "worm", fused=True).vertices, generate(2, 5, "worm").vertices)
    posed = generate(2, 5, "worm", pose="free", extent=1.0)
    assert np.isclose(np.ptp(posed.vertices, axis=0).max(), 1.0, rtol=1e-4)
    with pytest.raises(KeyError):
        generate(0, 0, "unicorn")
