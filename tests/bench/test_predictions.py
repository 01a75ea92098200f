"""Predictions on disk: both forms, and everything that can be wrong with them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from partseg.errors import InputError, PartsegError
from partseg.parts.hierarchy import PartHierarchy
from partseg.parts.segmentation import Masks
from partseg_bench.predictions import (
    MANIFEST,
    Manifest,
    Prediction,
    digest,
    file_name,
    read_manifest,
    read_predictions,
    write_manifest,
    write_prediction,
)

LABELS = np.array([0, 0, 1, 1, -1])


def full() -> Prediction:
    """A prediction with every field."""
    masks = Masks.from_dense(np.array([[1, 1, 0, 0, 0], [0, 1, 1, 0, 1]], bool))
    return Prediction(
        LABELS,
        tree_children=np.array([[0, 1], [2, 3], [5, 6], [4, 7]]),
        tree_heights=np.array([0.0, 1.0, 2.0, 2.5]),
        mask_indptr=masks.indptr,
        mask_indices=masks.indices,
        scores=np.array([0.5, 0.25]),
        semantic_id=np.array([3, -1]),
        classes=np.array([3, 3, 0, 0, -1]),
        cuts=np.array([[0, 0, 0, 0, 0], [0, 0, 1, 1, 1]]),
        click_masks=np.packbits(np.ones((2, 3, 5), bool), axis=2),
        hierarchy=PartHierarchy.from_labels(LABELS).to_arrays(),
    )


def save(folder: Path, shapes: dict[str, Prediction], **about: object) -> Path:
    entries = {shape: write_prediction(folder, shape, prediction) for shape, prediction in shapes.items()}
    write_manifest(folder, Manifest(entries, **about))
    return folder


def test_round_trip(tmp_path: Path) -> None:
    save(tmp_path, {"Cup/21": full(), "Cup/22": Prediction(LABELS)}, method="m", config={"a": 1}, view="points", seed=3)
    found = read_predictions(tmp_path)
    assert list(found) == ["Cup/21", "Cup/22"] and found.manifest.view == "points" and found.manifest.seed == 3
    back, before = found["Cup/21"].to_arrays(), full().to_arrays()
    assert back.keys() == before.keys()
    for key, value in before.items():
        assert np.array_equal(back[key], value), key
    assert found["Cup/21"].tree.n_leaves == 5 and len(found["Cup/21"].masks) == 2
    assert np.array_equal(found["Cup/21"].part_tree.leaf_of, full().part_tree.leaf_of)
    assert found["Cup/22"].tree is None and found["Cup/22"].scores is None


def test_equal_predictions_are_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save(tmp_path / name, {"x": full(), "y": Prediction(LABELS)}, method=name)
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    save(tmp_path / "c", {"x": full(), "y": Prediction(LABELS + 1)})
    save(tmp_path / "d", {"x": full(), "z": Prediction(LABELS)})
    assert len({digest(tmp_path / name) for name in "acd"}) == 3


def test_a_shape_that_failed_is_told(tmp_path: Path) -> None:
    entry = write_prediction(tmp_path, "x", Prediction(LABELS))
    write_manifest(tmp_path, Manifest({"x": entry, "y": {"error": "out of memory"}}, complete=False))
    found = read_predictions(tmp_path)
    assert list(found) == ["x"] and found.errors == {"y": "out of memory"} and not found.manifest.complete


def test_file_names_are_safe_and_different() -> None:
    ids = ["Cup/21", "Cup_21", "cup/21", "../x", "", "ä" * 500, "a:b", "con"]
    names = [file_name(shape) for shape in ids]
    assert len({name.casefold() for name in names}) == len(ids)
    assert all(len(name) < 100 and name.isascii() and "/" not in name and not name.startswith(".") for name in names)


def test_plain_files(tmp_path: Path) -> None:
    (tmp_path / "Cup").mkdir()
    np.save(tmp_path / "Cup" / "21.npy", LABELS.astype(np.int16))
    np.savez(tmp_path / "Cup" / "22.npz", masks=np.eye(2, 5, dtype=bool), scores=np.array([1, 2]), semantic_id=[0, 1])
    found = read_predictions(tmp_path)
    assert sorted(found) == ["Cup/21", "Cup/22"] and found.manifest is None
    assert found["Cup/21"].labels.dtype == np.int64
    assert np.array_equal(found["Cup/22"].labels, [0, 1, -1, -1, -1])
    before = found.digest()
    np.save(tmp_path / "Cup" / "21.npy", LABELS + 1)
    assert read_predictions(tmp_path).digest() != before


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("labels", [0.5, 0, 0, 0, 0], "expected integers"),
        ("labels", np.zeros((5, 1), int), "in 1 dimensions"),
        ("labels", [0, -2, 0, 0, 0], "found -2"),
        ("scores", [0.5, np.nan], "1 of 2 are not finite, the first is that of part 1"),
        ("scores", [0.5], r"expected \(2,\)"),
        ("semantic_id", [1, 2, 3], r"expected \(2,\)"),
        ("classes", [1, 2], r"expected \(5,\)"),
        ("cuts", np.zeros((2, 4), int), r"expected \(any, 5\)"),
        ("tree_children", [[0, 1], [2, 3]], r"expected \(4, 2\)"),
        ("tree_children", [[0, 1], [2, 3], [5, 6], [7, 7]], "merged exactly once"),
        ("tree_heights", [3.0, 1, 2, 4], "must not decrease"),
        ("mask_indices", [0, 1, 1, 2, 9], "outside"),
        ("click_masks", np.zeros((2, 3, 4), np.uint8), "click_masks"),
        ("labelz", [0, 0, 0, 0, 0], "is no field"),
    ],
)
def test_fields_that_do_not_fit_name_shape_and_field(tmp_path: Path, field: str, value: object, text: str) -> None:
    np.savez(tmp_path / "shape 7.npz", **(full().to_arrays() | {field: np.asarray(value)}))
    with pytest.raises(PartsegError, match=text) as caught:
        read_predictions(tmp_path)["shape 7"]
    told = str(caught.value)
    assert told.startswith("shape 7: ") and "\n" not in told
    assert field in told or field == "tree_heights"  # a tree is refused as a whole


def test_wrong_length_is_told() -> None:
    with pytest.raises(PartsegError, match=r"Cup/21: labels: expected \(6,\), found \(5,\)"):
        Prediction(LABELS).check("Cup/21", 6)


def test_half_of_a_pair_is_told(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", labels=LABELS, tree_heights=np.arange(4.0))
    with pytest.raises(PartsegError, match="x: tree_heights: stands alone"):
        read_predictions(tmp_path)["x"]


def test_damaged_files(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY")
    (tmp_path / "b.npz").write_bytes(b"PK\x03\x04rubbish")
    np.save(tmp_path / "c.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "d.npz", scores=np.ones(2))
    for shape in "abc":
        with pytest.raises(PartsegError, match=f"^{shape}: file: ") as caught:
            read_predictions(tmp_path)[shape]
        assert "\n" not in str(caught.value)
    with pytest.raises(PartsegError, match="d: labels: there are none"):
        read_predictions(tmp_path)["d"]


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("labels.npy", b"\0" * 100_000)
    monkeypatch.setattr("partseg_bench.predictions._MAX_BYTES", 10_000)
    with pytest.raises(PartsegError, match=r"x: file: .* unpacks to"):
        read_predictions(tmp_path)["x"]


def test_two_files_of_one_shape(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", LABELS)
    np.savez(tmp_path / "x.npz", labels=LABELS)
    with pytest.raises(InputError, match="shape 'x' has two files"):
        read_predictions(tmp_path)


def test_a_changed_file_is_told(tmp_path: Path) -> None:
    save(tmp_path, {"x": Prediction(LABELS)})
    np.savez(tmp_path / file_name("x"), labels=LABELS)
    with pytest.raises(PartsegError, match="x: sha256: "):
        read_predictions(tmp_path)["x"]


def test_folders_without_predictions(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        read_predictions(tmp_path / "none")
    with pytest.raises(InputError, match=r"holds no manifest\.json"):
        read_predictions(tmp_path)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda told: told | {"schema": 2}, "schema: expected 1, found 2"),
        (lambda told: [told], "schema: expected 1, found 'list'"),
        (lambda told: told | {"shapes": []}, "shapes: expected an object"),
        (lambda told: told | {"view": "xray"}, "view: expected one of"),
        (lambda told: told | {"shapes": {"x": 3}}, "shape 'x': expected an object"),
        (lambda told: told | {"shapes": {"x": {"file": 1, "sha256": ""}}}, "shape 'x': file: expected text"),
        (lambda told: told | {"shapes": {"x": {"file": "../y.npz", "sha256": ""}}}, "a name in this folder"),
    ],
)
def test_damaged_manifests(tmp_path: Path, change, text: str) -> None:
    save(tmp_path, {"x": Prediction(LABELS)})
    told = json.loads((tmp_path / MANIFEST).read_text())
    (tmp_path / MANIFEST).write_text(json.dumps(change(told)))
    with pytest.raises(InputError, match=text):
        read_manifest(tmp_path)


def test_a_shape_that_stands_twice_in_the_manifest(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text('{"schema": 1, "shapes": {"x": {"error": "a"}, "x": {"error": "b"}}}')
    with pytest.raises(InputError, match="'x' stands there twice"):
        read_predictions(tmp_path)
    (tmp_path / MANIFEST).write_text("{")
    with pytest.raises(InputError, match="cannot be read as JSON"):
        read_predictions(tmp_path)
