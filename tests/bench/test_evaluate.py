"""`partseg evaluate`, end to end: baselines on embedded shapes and on the Princeton benchmark, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fakes.partnet import write_partnet
from fakes.psb import write_psb
from partseg.cli.main import main
from partseg.errors import InputError, PartsegError
from partseg.methods.registry import load_method
from partseg_bench.evaluate import evaluate, read_result, table
from partseg_bench.predictions import Manifest, Prediction, write_manifest, write_prediction
from partseg_bench.protocols import open_protocol
from partseg_bench.samples import EvalSet, eval_set


@pytest.fixture(scope="module")
def shapes() -> EvalSet:
    return eval_set("procedural", limit=3)


@pytest.fixture(scope="module")
def predicted(shapes: EvalSet, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of predictions of two baselines."""
    protocol, folders = open_protocol("class-agnostic-auto"), {}
    for name in ("connected-components", "ward-position-normal"):
        folder, method = tmp_path_factory.mktemp(name), load_method(name)
        entries = {
            shape: write_prediction(folder, shape, protocol.predict(method, sample)) | {"seconds": 0.5}
            for shape, sample in zip(shapes.ids, shapes)
        }
        write_manifest(folder, Manifest(entries, method=name, view="mesh", seed=0))
        folders[name] = folder
    return folders


@pytest.fixture
def psb(tmp_path: Path) -> Path:
    write_psb(tmp_path / "psb")
    return tmp_path / "psb"


def labels(folder: Path, files: dict[str, Any]) -> Path:
    for name, values in files.items():
        path = folder / f"{name}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.asarray(values))
    return folder


GOOD = {"Cup/21": [0, 1, 2, 1], "Cup/22": [0, 0, 1, 1], "Airplane/61": [0, 0, 1, 1]}


def test_baselines_on_embedded_shapes(predicted: dict[str, Path], tmp_path: Path, capsys: Any) -> None:
    values = {}
    for name, folder in predicted.items():
        out = tmp_path / f"{name}.json"
        command = ["evaluate", "--protocol", "class-agnostic-auto", "--predictions", str(folder)]
        assert main([*command, "--dataset", "procedural", "--limit", "3", "-o", str(out)]) == 0
        result = json.loads(out.read_text())
        assert result["cell"]["method"] == name and result["cell"]["protocol_version"] == "1"
        assert result["coverage"] == {"expected": 3, "scored": 3, "missing": [], "errors": {}}
        assert set(result["per_shape"]) == set(result["categories"]) == {"test/0", "test/1", "test/2"}
        assert result["seconds"]["predict"] == 1.5 and result["status"] == "ok"
        metric = result["metrics"]["miou"]
        values[name] = metric["value"]
        text = capsys.readouterr().out
        assert f"{metric['value']:.4f}  [{metric['low']:.4f}, {metric['high']:.4f}]  n = 3" in text
        assert "coverage: 3 of 3 shapes" in text
    assert 0 < values["ward-position-normal"] < 1 and values["ward-position-normal"] != values["connected-components"]


def test_one_folder_serves_several_protocols(predicted: dict[str, Path], shapes: EvalSet) -> None:
    folder = predicted["ward-position-normal"]
    names = ("class-agnostic-auto", "class-agnostic-oracle", "class-agnostic-tree-cut", "hierarchy")
    results = [evaluate(name, folder, shapes) for name in names]
    assert len({r["key"] for r in results}) == 4 and len({r["predictions_sha256"] for r in results}) == 1
    assert len({r["truth_sha256"] for r in results}) == 1
    auto, oracle, tree_cut = (r["metrics"]["miou"]["value"] for r in results[:3])
    assert auto <= oracle and auto <= tree_cut


def test_psb_sample(test_data: Any, tmp_path: Path, capsys: Any) -> None:
    root = test_data("psb")
    shapes = eval_set("psb", options={"root": root, "category": "Cup"})
    method = load_method("ward-position-normal")
    labels(tmp_path, {shape: method.segment(s.shape, parts=3).labels for shape, s in zip(shapes.ids, shapes)})
    command = ["evaluate", "--protocol", "psb", "--predictions", str(tmp_path), "--dataset", "psb"]
    assert main([*command, "--root", str(root), "--category", "Cup"]) == 0
    text = capsys.readouterr().out
    assert "rand-index" in text and f"coverage: {len(shapes)} of {len(shapes)} shapes" in text


def test_labels_of_anyone(psb: Path, tmp_path: Path, capsys: Any) -> None:
    folder = labels(tmp_path / "p", GOOD)
    arguments = ["--predictions", str(folder), "--dataset", "psb", "--root", str(psb)]
    assert main(["evaluate", "--protocol", "class-agnostic-auto", *arguments]) == 0
    # person 2 of cup 21 is met exactly, person 10 saw one part of which half is met; the others are met
    assert "0.9167" in capsys.readouterr().out


def test_missing_shapes_count_as_the_worst(psb: Path, tmp_path: Path, capsys: Any) -> None:
    folder = labels(tmp_path / "p", {"Cup/22": [0, 0, 1, 1]})
    shapes = eval_set("psb", options={"root": psb})
    result = evaluate("psb", folder, shapes)
    assert result["metrics"]["rand-index"]["value"] == pytest.approx(1 / 3)
    assert result["metrics"]["hamming"]["value"] == pytest.approx(2 / 3)
    assert result["coverage"]["missing"] == ["Cup/21", "Airplane/61"]
    text = table(result)
    assert "coverage: 1 of 3 shapes" in text and "Cup/21, Airplane/61" in text


def test_a_shape_that_failed_is_told_with_its_error(psb: Path, tmp_path: Path) -> None:
    entries: dict[str, Any] = {s: write_prediction(tmp_path, s, Prediction(np.array(x))) for s, x in GOOD.items()}
    entries["Cup/21"] = {"error": "out of memory"}
    write_manifest(tmp_path, Manifest(entries, view="mesh"))
    result = evaluate("psb", tmp_path, eval_set("psb", options={"root": psb}))
    assert result["coverage"]["errors"] == {"Cup/21": "out of memory"} and result["coverage"]["scored"] == 2
    assert "Cup/21: out of memory" in table(result)


def test_labels_of_the_files_own_polygons(tmp_path: Path) -> None:
    """A quadrilateral counts once, as in the file."""
    off = "OFF\n5 2 0\n0 0 0\n1 0 0\n1 1 0\n0 1 0\n2 0 0\n4 0 1 2 3\n3 1 4 2\n"
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a.off").write_text(off)
    np.save(tmp_path / "d" / "a.labels.npy", np.array([0, 1]))
    shapes = eval_set("folder", split="all", options={"root": tmp_path / "d"})
    assert shapes[0].shape.n_elements == 3
    for given in ([1, 0], [1, 1, 0]):
        result = evaluate("class-agnostic-auto", labels(tmp_path / f"p{len(given)}", {"a": given}), shapes)
        assert result["metrics"]["miou-one-to-one"]["value"] == 1


@pytest.mark.parametrize(
    ("files", "text"),
    [
        (GOOD | {"Cup/21": [0, 1, 2]}, "Cup/21: labels: expected 4 elements, found 3"),
        (GOOD | {"Cup/99": [0, 1, 2, 1]}, "shape 'Cup/99': not among the 3 of psb"),
        (GOOD | {"Cup/21": [0.0, 1.0, 2.0, float("nan")]}, "Cup/21: labels: expected integers"),
        (GOOD | {"Cup/21": [[0, 1, 2, 1]]}, "Cup/21: labels: expected integers in 1 dimensions"),
    ],
)
def test_bad_predictions(files: dict[str, Any], text: str, psb: Path, tmp_path: Path, capsys: Any) -> None:
    folder = labels(tmp_path / "p", files)
    arguments = ["--predictions", str(folder), "--dataset", "psb", "--root", str(psb)]
    assert main(["evaluate", "--protocol", "psb", *arguments]) == 1
    error = capsys.readouterr().err
    assert text in error and error.count("\n") == 1


def test_scores_that_are_not_numbers(psb: Path, tmp_path: Path) -> None:
    labels(tmp_path / "p", GOOD)
    (tmp_path / "p" / "Cup" / "21.npy").unlink()
    np.savez(tmp_path / "p" / "Cup" / "21.npz", labels=GOOD["Cup/21"], scores=[0.1, np.nan, 0.3])
    with pytest.raises(PartsegError, match="Cup/21: scores: 1 of 3 are not finite"):
        evaluate("psb", tmp_path / "p", eval_set("psb", options={"root": psb}))


def test_predictions_of_the_mesh_are_no_geometry_only_ones(predicted: dict[str, Path], shapes: EvalSet) -> None:
    with pytest.raises(InputError, match=r"view: the method saw 'mesh', .* shows 'points'"):
        evaluate("class-agnostic-auto-geometry", predicted["connected-components"], shapes)


def test_results_of_another_protocol_or_version(psb: Path, tmp_path: Path, capsys: Any) -> None:
    folder, out = labels(tmp_path / "p", GOOD), tmp_path / "result.json"
    command = ["evaluate", "--predictions", str(folder), "--dataset", "psb", "--root", str(psb), "--protocol"]
    assert main([*command, "psb", "-o", str(out)]) == 0
    assert main([*command, "psb", "-o", str(out)]) == 1
    assert "never overwritten" in capsys.readouterr().err
    assert main([*command, "psb", "--against", str(out)]) == 0
    assert "rand-index  +0.0000" in capsys.readouterr().out
    assert main([*command, "class-agnostic-auto", "--against", str(out)]) == 1
    assert "cell.protocol: expected 'class-agnostic-auto', found 'psb'" in capsys.readouterr().err
    result = json.loads(out.read_text())
    result["cell"]["protocol_version"] = "0"
    out.write_text(json.dumps(result))
    with pytest.raises(InputError, match=r"cell.protocol_version: expected '1', found '0'"):
        read_result(out, open_protocol("psb"))
    assert main([*command, "psb", "--category", "Cup", "--against", str(out)]) == 1


def test_results_that_are_none(tmp_path: Path) -> None:
    for text, told in (("{", "JSON"), ("[]", "is no result"), ('{"cell": {}}', "is no result")):
        (tmp_path / "r.json").write_text(text)
        with pytest.raises(InputError, match=told):
            read_result(tmp_path / "r.json")
    with pytest.raises(InputError, match="cannot be read"):
        read_result(tmp_path / "none.json")


def test_help_and_wrong_usage(capsys: Any) -> None:
    assert main(["evaluate", "--help"]) == 0
    assert "--predictions DIR" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stopped:
        main(["evaluate", "--dataset", "psb", "--help"])
    assert stopped.value.code == 0 and "--category" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stopped:
        main(["evaluate", "--protocol", "psb", "--dataset", "psb"])
    assert stopped.value.code == 2 and "--predictions is needed" in capsys.readouterr().err


def test_predictions_of_partnet_are_scored_level_by_level(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """The command of the documentation on a tree as PartNet's `data_v0` is."""
    root, folder = tmp_path / "D", tmp_path / "P"
    write_partnet(root, ("trees",))
    shapes = eval_set("partnet", level="3", options={"root": root, "category": "Chair"})
    for name, sample in zip(shapes.ids, shapes):
        labels, classes = sample.labels["3"], sample.semantics["3"]
        first = np.unique(labels[labels >= 0], return_index=True)[1]
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        np.savez(folder / f"{name}.npz", labels=labels, semantic_id=classes[labels >= 0][first])
    command = ["evaluate", "--protocol", "partnet-instance", "--predictions", str(folder), "--dataset", "partnet"]
    command += ["--root", str(root), "--category", "Chair"]
    assert main([*command, "--level", "3"]) == 0
    text = capsys.readouterr().out
    assert "AP50       1.0000" in text and f"coverage: {len(shapes)} of {len(shapes)} shapes" in text
    assert main(command) == 1  # predicted classes are those of one level
    assert "levels 1, 2, 3: choose one (--level)" in capsys.readouterr().err
