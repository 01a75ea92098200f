"""COSEG: sets read back, and files that do not fit."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from fakes.coseg import CORNERS, off, write_coseg
from partseg.data.formats.coseg import CosegReader
from partseg.errors import InputError


def test_sets_are_read_back(tmp_path: Path) -> None:
    known = write_coseg(tmp_path, shapes=11)
    reader = pickle.loads(pickle.dumps(CosegReader(tmp_path)))  # noqa: S301
    items = reader.index()
    assert [item.name for item in items] == [f"{x}/{i}" for x in ("Chair", "Large-Vases") for i in range(1, 12)]
    names = reader.taxonomy()["parts"]
    assert names == (
        "Chair/1",
        "Chair/2",
        "Chair/3",
        "Large-Vases/1",
        "Large-Vases/2",
        "Large-Vases/3",
        "Large-Vases/4",
    )
    for item in items:
        sample = reader.load(item)
        assert sample.shape.is_mesh
        said = [names[i] for i in sample.semantics["parts"]]
        assert said == [f"{item.category}/{number}" for number in known[item.name]]
        assert sample.labels["parts"].tolist() == (known[item.name] - 1).tolist()
    assert list(reader.check()) == []


def test_one_set_is_chosen_or_is_the_root_itself(tmp_path: Path) -> None:
    write_coseg(tmp_path)
    one = CosegReader(tmp_path, category="Large-Vases")
    assert {item.category for item in one.index()} == {"Large-Vases"}
    itself = CosegReader(tmp_path / "Large-Vases")
    assert [item.name for item in itself.index()] == [item.name for item in one.index()]
    assert itself.taxonomy() == one.taxonomy()
    assert len(one.taxonomy()["parts"]) == 4
    with pytest.raises(InputError, match="holds no set 'Vases'"):
        CosegReader(tmp_path, category="Vases").index()


def test_numbers_may_begin_at_nought_and_have_gaps(tmp_path: Path) -> None:
    known = write_coseg(tmp_path, {"Things": (0, 2, 7)})
    reader = CosegReader(tmp_path)
    assert reader.taxonomy()["parts"] == ("Things/0", "Things/2", "Things/7")
    sample = reader.load(reader.index()[0])
    assert sample.semantics["parts"].tolist() == [(0, 2, 7).index(x) for x in known["Things/1"]]


def test_triangles_of_a_polygon_share_its_class(tmp_path: Path) -> None:
    write_coseg(tmp_path, {"Things": (1, 2)}, shapes=1)
    (tmp_path / "Things" / "shapes" / "1.off").write_text(off(CORNERS, [[0, 1, 3, 2], [4, 6, 7]]))
    (tmp_path / "Things" / "gt" / "1.seg").write_text("2\n1\n")
    reader = CosegReader(tmp_path)
    assert reader.load(reader.index()[0]).semantics["parts"].tolist() == [1, 1, 0]


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("1\n2\n", "expected 12 lines, one for each face, found 2"),
        ("1\nx\n", "expected a whole number a line"),
        ("1 " * 11 + "-1", "expected classes 0..255, found -1"),
        ("1 " * 11 + "256", "expected classes 0..255, found 256"),
        ("1 " * 11 + "99999999999999999999999", "expected a whole number a line"),
        (None, "cannot be read"),
    ],
)
def test_a_truth_that_does_not_fit_is_named(tmp_path: Path, text: str | None, cause: str) -> None:
    write_coseg(tmp_path)
    path = tmp_path / "Chair" / "gt" / "2.seg"
    path.unlink()
    if text is not None:
        path.write_text(text)
    reader = CosegReader(tmp_path)
    assert np.unique(reader.load(reader.index()[0]).semantics["parts"]).tolist() == [0, 1, 2]
    with pytest.raises(InputError) as error:
        reader.load(reader.index()[1])
    assert cause in str(error.value)
    assert [x.path for x in reader.check()] == [str(path)]


def test_a_class_too_many_for_a_published_set_is_named(tmp_path: Path) -> None:
    write_coseg(tmp_path, {"Large-Vases": (1, 2, 3, 4)})
    path = tmp_path / "Large-Vases" / "gt" / "2.seg"
    path.write_text(path.read_text().replace("1", "9", 1))
    with pytest.raises(InputError, match="class 9 is one more than the 4") as error:
        CosegReader(tmp_path).taxonomy()
    assert str(path) in str(error.value)


def test_check_tells_truths_without_a_mesh_and_damaged_meshes(tmp_path: Path) -> None:
    write_coseg(tmp_path)
    (tmp_path / "Chair" / "shapes" / "3.off").unlink()
    (tmp_path / "Chair" / "shapes" / "1.off").write_text("OFF\n9 12 0\n0 0 0\n")
    assert [Path(error.path).name for error in CosegReader(tmp_path).check()] == ["1.off", "3.off"]


def test_a_wrong_root_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        CosegReader(tmp_path / "nowhere").index()
    with pytest.raises(InputError, match="expected <Set>/shapes"):
        CosegReader(tmp_path).index()
    (tmp_path / "Chair" / "shapes").mkdir(parents=True)
    with pytest.raises(InputError, match="gt: no such folder"):
        CosegReader(tmp_path).index()
    (tmp_path / "Chair" / "gt").mkdir()
    with pytest.raises(InputError, match=r"found no \.off file"):
        CosegReader(tmp_path).index()
