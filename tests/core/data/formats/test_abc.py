"""ABC: models read back in every style of YAML, and files that do not fit."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import yaml

from fakes.abc import cylinder, features, write_abc
from partseg.data.formats import abc
from partseg.data.formats.abc import TYPES, AbcReader, read_surfaces
from partseg.errors import InputError, ShapeWarning


@pytest.mark.parametrize("side_by_side", [False, True])
def test_models_are_read_back(tmp_path: Path, side_by_side: bool) -> None:
    known = write_abc(tmp_path, side_by_side=side_by_side)
    reader = pickle.loads(pickle.dumps(AbcReader(tmp_path)))  # noqa: S301
    items = reader.index()
    assert [item.name for item in items] == list(known)
    for item in items:
        truth, sample = known[item.name], reader.load(item)
        np.testing.assert_array_equal(sample.shape.faces, truth["faces"])
        for i, (kind, faces) in enumerate(truth["surfaces"]):
            assert (sample.labels["primitives"][faces] == i).all()
            assert (sample.semantics["primitives"][faces] == TYPES.index(kind)).all()
    assert reader.taxonomy() == {"primitives": TYPES}
    assert list(reader.check()) == []


@pytest.mark.parametrize("style", [False, None, True])
def test_leaving_out_what_is_not_used_changes_nothing(tmp_path: Path, style: bool | None) -> None:
    text = features(cylinder(9, 2.0)[2], style)
    path = tmp_path / "features.yml"
    for tail in ("", "\nversion: 3\n" if style is not True else ""):
        path.write_text(text + tail)
        whole = yaml.safe_load(path.read_text())["surfaces"]
        found = read_surfaces(path)
        assert [(kind, faces.tolist()) for kind, faces in found] == [(s["type"], s["face_indices"]) for s in whole]
    if style is not True:
        assert len(abc._surfaces_only(text)) < 0.6 * len(text)


def test_triangles_on_no_surface_are_unlabelled_and_unknown_types_are_other(tmp_path: Path) -> None:
    write_abc(tmp_path, models=1)
    reader = AbcReader(tmp_path)
    item = reader.index()[0]
    item.files[1].write_text("surfaces:\n- type: Bezier\n  face_indices: [3, 4]\n- type: Plane\n  face_indices: []\n")
    with pytest.warns(ShapeWarning, match="Bezier"):
        sample = reader.load(item)
    assert np.flatnonzero(sample.labels["primitives"] >= 0).tolist() == [3, 4]
    assert sample.semantics["primitives"][3] == TYPES.index("Other")


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("surfaces:\n- type: Plane\n  face_indices: [0, 99]\n", "surface 0 names face 99, but the mesh has 32"),
        ("surfaces:\n- type: Plane\n  face_indices: [-1]\n", "surface 0 names face -1"),
        (
            "surfaces:\n- type: Plane\n  face_indices: [1, 2]\n- type: Cone\n  face_indices: [2]\n",
            "face 2 is on surface 0 and on surface 1",
        ),
        ("surfaces:\n- face_indices: [1, 2]\n", "surface 0: expected a 'type'"),
        ("surfaces:\n- type: Plane\n  face_indices: [1, x]\n", "surface 0: expected a 'type'"),
        ("surfaces:\n- type: Plane\n  face_indices: [1.5]\n", "surface 0: expected a 'type'"),
        ("surfaces:\n- type: Plane\n  face_indices: [[1], [2, 3]]\n", "surface 0: expected a 'type'"),
        ("surfaces:\n- type: Plane\n  face_indices: [99999999999999999999]\n", "surface 0: expected a 'type'"),
        ("surfaces:\n- 3\n", "surface 0: expected a 'type'"),
        ("surfaces:\n- type: Plane\n  face_indices: [1,", "is no YAML"),
        ("surfaces: !!python/object/apply:os.getcwd []\n", "is no YAML"),
        ("curves: []\n", "expected a list of 'surfaces'"),
        ("", "expected a list of 'surfaces'"),
    ],
)
def test_a_feature_file_that_does_not_fit_is_named(tmp_path: Path, text: str, cause: str) -> None:
    write_abc(tmp_path, models=1)
    reader = AbcReader(tmp_path)
    item = reader.index()[0]
    item.files[1].write_text(text)
    with pytest.raises(InputError) as error:
        reader.load(item)
    assert cause in str(error.value)
    assert str(item.files[1]) in str(error.value)
    assert "\n" not in str(error.value)


def test_absurd_and_binary_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_abc(tmp_path, models=1)
    reader = AbcReader(tmp_path)
    item = reader.index()[0]
    item.files[1].write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="found binary data"):
        reader.load(item)
    monkeypatch.setattr(abc, "_MAX_BYTES", 2)
    with pytest.raises(InputError, match="is larger than"):
        reader.load(item)
    item.files[1].unlink()
    with pytest.raises(InputError, match="cannot be read"):
        reader.load(item)


def test_check_tells_what_has_no_partner(tmp_path: Path) -> None:
    write_abc(tmp_path)
    reader = AbcReader(tmp_path)
    first, second, third = reader.index()
    first.files[1].unlink()
    second.files[0].unlink()
    third.files[0].write_text("v 0 0\n")
    assert [item.name for item in reader.index()] == [third.name]
    errors = list(reader.check())
    assert [error.path for error in errors] == [str(third.files[0]), str(first.files[0]), str(second.files[1])]
    assert "has no feature file" in errors[1].cause
    assert "has no mesh" in errors[2].cause


def test_a_wrong_root_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        AbcReader(tmp_path / "nowhere").index()
    (tmp_path / "00000001").mkdir()
    with pytest.raises(InputError, match="expected pairs"):
        AbcReader(tmp_path).index()
