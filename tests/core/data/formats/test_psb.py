"""The Princeton benchmark reader: both layouts, the real files, and files that do not fit."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fakes.psb import TETRAHEDRON, write_psb
from partseg.data.formats import psb
from partseg.errors import InputError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "Cup"
    (folder / "21_seg").mkdir(parents=True)
    (folder / "21.off").write_text(TETRAHEDRON)
    (folder / "21_labels.txt").write_text("handle\n2 4 \ncup\n1 3\n")
    (folder / "21_seg" / "21_10.seg").write_text("0\n0\n0\n0\n")
    (folder / "21_seg" / "21_2.seg").write_text("0\n1\n2\n1\n")
    return tmp_path


def test_reads_labels_and_people(root: Path) -> None:
    bench = psb.PrincetonBenchmark(root)
    assert len(bench) == 1
    found = bench[0]
    assert found.item.name == "Cup/21"
    assert found.label_names == ("handle", "cup")
    assert found.labels.tolist() == [1, 0, 1, 0]
    assert [h.tolist() for h in found.humans] == [[0, 1, 2, 1], [0, 0, 0, 0]]  # by number: 2 before 10
    assert bench.taxonomy == {"Cup": ("cup", "handle")}


def test_reads_the_benchmarks_own_layout(tmp_path: Path) -> None:
    (tmp_path / "data" / "off").mkdir(parents=True)
    (tmp_path / "data" / "seg" / "Benchmark" / "66").mkdir(parents=True)
    (tmp_path / "data" / "off" / "66.off").write_text(TETRAHEDRON)
    (tmp_path / "data" / "seg" / "Benchmark" / "66" / "66_0.seg").write_text("0\n1\n0\n1\n")
    [found] = psb.PrincetonBenchmark(tmp_path)
    assert found.item.name == "Airplane/66"
    assert found.labels is None
    assert [h.tolist() for h in found.humans] == [[0, 1, 0, 1]]


@pytest.mark.parametrize(
    ("file", "text", "cause"),
    [
        ("21_labels.txt", "handle\n2 9\ncup\n1 3\n", "'handle' names face 9, expected 1..4"),
        ("21_labels.txt", "handle\n0 2\ncup\n1 3\n", "'handle' names face 0, expected 1..4"),
        ("21_labels.txt", "handle\n2 4\ncup\n1 2\n", "face 2 is both 'handle' and 'cup'"),
        ("21_labels.txt", "handle\n2 4\ncup\n", "expected pairs of lines (name, faces), found 3 lines"),
        ("21_labels.txt", "handle\n2 x\n", "expected faces of 'handle' as integers"),
        ("21_seg/21_2.seg", "0\n1\n", "expected 4 lines, one for each face, found 2"),
        ("21_seg/21_2.seg", "0\n1\n-1\n0\n", "expected segment numbers from 0, found -1"),
        ("21_seg/21_2.seg", "0\none\n1\n0\n", "expected segment numbers as integers"),
    ],
)
def test_a_file_that_does_not_fit_is_named(root: Path, file: str, text: str, cause: str) -> None:
    (root / "Cup" / file).write_text(text)
    [item] = psb.index(root)
    with pytest.raises(InputError) as error:
        psb.load(item)
    assert cause in str(error.value)
    assert str(root / "Cup" / file) in str(error.value)
    assert "\n" not in str(error.value)


def test_binary_labels_and_missing_folders_are_named(root: Path) -> None:
    (root / "Cup" / "21_labels.txt").write_bytes(b"\xff\xfe\x00\x80")
    [item] = psb.index(root)
    with pytest.raises(InputError, match="expected a text file"):
        psb.load(item)
    with pytest.raises(InputError, match="is not a folder"):
        psb.index(root / "nowhere")
    with pytest.raises(InputError, match="found neither"):
        psb.index(root / "Cup")
    with pytest.raises(InputError, match="holds no category Boat"):
        psb.PrincetonBenchmark(root, categories=["Boat"])


def test_faces_without_a_label_are_unlabelled(root: Path) -> None:
    (root / "Cup" / "21_labels.txt").write_text("handle\n2\n")
    [found] = psb.PrincetonBenchmark(root)
    assert found.labels.tolist() == [-1, 0, -1, -1]


def test_the_real_files(test_data: Callable[[str], Path]) -> None:
    bench = psb.PrincetonBenchmark(test_data("psb"))
    assert len(bench) == 89
    assert len({item.category for item in bench.items}) == 19
    assert all(item.labels is not None and len(item.humans) >= 4 for item in bench.items)
    assert sum(len(item.humans) for item in bench.items) == 484
    for item in bench.items:
        assert psb.CATEGORIES[(item.id - 1) // 20] == item.category
    smallest = min(bench.items, key=lambda item: item.mesh.stat().st_size)
    found = psb.load(smallest)
    assert found.labels.min() == 0  # every face has a label
    assert len(np.unique(found.labels)) == len(found.label_names)
    for segments in found.humans:
        np.testing.assert_array_equal(np.unique(segments), np.arange(segments.max() + 1))


def test_reader_gives_people_as_instances_and_names_as_classes(tmp_path: Path) -> None:
    write_psb(tmp_path)
    reader = pickle.loads(pickle.dumps(psb.PsbReader(tmp_path)))  # noqa: S301
    items = reader.index()
    assert [(item.name, item.category, item.split) for item in items] == [
        ("Cup/21", "Cup", "test"),
        ("Cup/22", "Cup", "test"),
        ("Airplane/61", "Airplane", "test"),
    ]
    assert reader.taxonomy() == {"labels": ("Airplane/body", "Airplane/wing", "Cup/cup", "Cup/handle")}
    cup, plain, plane = map(reader.load, items)
    assert {level: values.tolist() for level, values in cup.labels.items()} == {
        "human-2": [0, 1, 2, 1],
        "human-10": [0, 0, 0, 0],
    }
    assert cup.semantics["labels"].tolist() == [2, 3, 2, 3]
    assert (list(plain.labels), dict(plain.semantics)) == (["human-0"], {})
    assert plane.labels["human-0"].tolist() == [1, 1, 0, 0]  # numbered without gaps
    assert plane.semantics["labels"].tolist() == [0, 0, 1, -1]
    assert not list(reader.check())


def test_reader_of_one_category_has_plain_names(tmp_path: Path) -> None:
    write_psb(tmp_path)
    reader = psb.PsbReader(tmp_path, category="Airplane")
    assert [item.name for item in reader.index()] == ["Airplane/61"]
    assert reader.taxonomy() == {"labels": ("body", "wing")}
    assert reader.load(reader.index()[0]).semantics["labels"].tolist() == [0, 0, 1, -1]
    with pytest.raises(InputError, match=r"holds no category Boat \(it holds Airplane, Cup\)"):
        psb.PsbReader(tmp_path, category="Boat").index()


def test_check_names_each_damaged_file_and_the_rest_stays_readable(tmp_path: Path) -> None:
    write_psb(tmp_path)
    labels, cut = tmp_path / "Cup" / "21_labels.txt", tmp_path / "Airplane" / "61_seg" / "61_0.seg"
    labels.write_text("handle\n2 4\ncup\n")
    cut.write_text("0\n1\n")
    reader = psb.PsbReader(tmp_path)
    assert sorted(error.path for error in reader.check()) == sorted([str(labels), str(cut)])
    assert reader.load(reader.index()[1]).labels["human-0"].tolist() == [0, 0, 1, 1]
    [wrong] = psb.PsbReader(tmp_path / "Cup" / "21_seg").check()
    assert "found neither" in str(wrong)
    [absent] = psb.PsbReader(tmp_path / "nowhere").check()
    assert "segeval.cs.princeton.edu" in absent.mend


def test_reader_on_the_real_files(test_data: Callable[[str], Path]) -> None:
    reader = psb.PsbReader(test_data("psb"))
    items = reader.index()
    assert len(items) == 89
    assert {item.split for item in items} == {"test"}
    names = reader.taxonomy()["labels"]
    assert {name.partition("/")[0] for name in names} == {item.category for item in items}
    item = min(items, key=lambda item: item.files[0].stat().st_size)
    sample = reader.load(item)
    assert {names[i].partition("/")[0] for i in np.unique(sample.semantics["labels"])} == {item.category}
    for level, cut in sample.labels.items():
        text = item.files[0].with_name(f"{item.files[0].stem}_seg") / f"{item.files[0].stem}_{level[6:]}.seg"
        np.testing.assert_array_equal(cut, np.array(text.read_text().split(), int))
