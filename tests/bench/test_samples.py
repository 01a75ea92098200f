"""Evaluation shapes: ids, truths, and what changes the digest."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fakes.psb import write_psb
from partseg.data.procedural.dataset import ProceduralDataset
from partseg.data.procedural.vocabulary import PART_NAMES
from partseg.errors import InputError, PartsegError, UnknownNameError
from partseg_bench.samples import EvalSet, eval_set


@pytest.fixture
def psb(tmp_path: Path) -> Path:
    write_psb(tmp_path / "psb")
    return tmp_path / "psb"


def test_procedural_shapes_are_those_of_the_dataset() -> None:
    shapes = eval_set("procedural", limit=2)
    assert shapes.ids == ("test/0", "test/1") and len(shapes) == 2
    made = ProceduralDataset("test", 2).shape(0)
    sample = shapes[0]
    assert sample.shape.name == "test/0" and np.array_equal(sample.shape.faces, made.faces)
    for level in ("coarse", "middle", "fine"):
        assert np.array_equal(sample.labels[level], made.labels(level))
        for part in np.unique(sample.labels[level]):  # a part has one name, that of its node
            node = made.level_nodes[level][part]
            assert {PART_NAMES[i] for i in sample.semantics[level][sample.labels[level] == part]} == {made.names[node]}
    assert shapes.taxonomy["fine"] == PART_NAMES


def test_shapes_are_had_without_torch() -> None:
    """A report draws them, and need not wait for it."""
    script = "import sys; from partseg_bench.samples import eval_set\n"
    script += "assert len(eval_set('procedural', limit=3)[2].labels) == 3; print('torch' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert told.split() == ["False"]


def test_procedural_categories_are_the_kinds() -> None:
    kinds = eval_set("procedural", limit=40).categories
    assert set(kinds) == {"assembled", "fused", "organic"}
    assert set(eval_set("procedural", limit=5, options={"organic": 1.0}).categories) == {"organic"}
    families = {kind: ProceduralDataset("test", 40).shape(kinds.index(kind)) for kind in ("assembled", "fused")}
    pieces = {kind: _components(shape.faces) for kind, shape in families.items()}
    assert pieces["fused"] == 1 < pieces["assembled"]


def _components(faces: np.ndarray) -> int:
    from partseg.geometry.adjacency import connected_components, face_adjacency

    return len(np.unique(connected_components(face_adjacency(faces), len(faces))))


def test_one_level() -> None:
    shapes = eval_set("procedural", limit=1, level="fine")
    assert list(shapes[0].labels) == ["fine"] and list(shapes.taxonomy) == ["fine"] == list(shapes.levels)


def test_digest_of_made_shapes_follows_from_what_they_are_made_of() -> None:
    same = [eval_set("procedural", limit=3).digest for _ in range(2)]
    assert same[0] == same[1]
    others = [
        eval_set("procedural", limit=4),
        eval_set("procedural", limit=3, split="val"),
        eval_set("procedural", limit=3, level="fine"),
        eval_set("procedural", limit=3, options={"seed": 1}),
        eval_set("procedural", limit=3, options={"fused": 1.0}),
    ]
    assert len({same[0], *(other.digest for other in others)}) == 6


def test_files(psb: Path) -> None:
    shapes = eval_set("psb", options={"root": str(psb)})
    assert shapes.ids == ("Cup/21", "Cup/22", "Airplane/61") and shapes.categories == ("Cup", "Cup", "Airplane")
    assert shapes[0].shape.name == "Cup/21" and set(shapes[0].labels) == {"human-2", "human-10"}
    assert eval_set("psb", options={"root": psb, "category": "Cup"}).ids == ("Cup/21", "Cup/22")
    assert eval_set("psb", limit=2, options={"root": psb}).ids == ("Cup/21", "Cup/22")
    assert eval_set("psb", split="all", options={"root": psb}).ids == shapes.ids


def test_digest_of_files_follows_from_their_content_not_their_place(psb: Path, tmp_path: Path) -> None:
    before = eval_set("psb", options={"root": psb}).digest
    shutil.copytree(psb, tmp_path / "other")
    assert eval_set("psb", options={"root": tmp_path / "other"}).digest == before
    (tmp_path / "other" / "Cup" / "22_seg" / "22_0.seg").write_text("0\n0\n0\n1\n")
    assert eval_set("psb", options={"root": tmp_path / "other"}).digest != before


def test_rooms_come_from_their_reader() -> None:
    shapes = eval_set("procedural-rooms", limit=1, options={"points": 2000, "views": None})
    sample = shapes[0]
    assert shapes.ids == ("test/0",) and sample.shape.n_elements == 2000 and not sample.shape.is_mesh
    assert sample.semantics["objects"].max() < len(shapes.taxonomy["objects"])
    assert shapes.digest != eval_set("procedural-rooms", limit=1, options={"points": 2001, "views": None}).digest


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"split": "dev"}, "no split 'dev'"),
        ({"level": "finest"}, "no level 'finest'"),
        ({"limit": 0}, "limit"),
        ({"options": {"sedd": 1}}, "no option sedd"),
    ],
)
def test_what_there_is_not(arguments: dict, text: str) -> None:
    with pytest.raises(PartsegError, match=text):
        eval_set("procedural", **arguments)


def test_what_files_do_not_have(psb: Path) -> None:
    with pytest.raises(InputError, match="split 'train'"):
        eval_set("psb", split="train", options={"root": psb})
    with pytest.raises(PartsegError, match="no option kategory"):
        eval_set("psb", options={"root": psb, "kategory": "Cup"})
    with pytest.raises(InputError, match="Cup/22: expected truth at level 'human-2'"):
        eval_set("psb", level="human-2", options={"root": psb})[1]
    with pytest.raises(UnknownNameError):
        eval_set("no-such-dataset")


def test_ids_are_unique() -> None:
    with pytest.raises(PartsegError, match="two shapes are called 'a'"):
        EvalSet("d", "test", None, ["a", "a"], ["", ""], {}, (), lambda i: None, list)
