"""`partseg data`: pictures and files of the embedded shapes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from partseg.cli.data_procedural import preview
from partseg.cli.main import main
from partseg.data.procedural import family_names, generate
from partseg.data.procedural.dataset import ProceduralDataset
from partseg.parts.segmentation import Segmentation


def test_families_are_listed(capsys: pytest.CaptureFixture) -> None:
    assert main(["data", "families"]) == 0
    names = capsys.readouterr().out.split()
    assert names == sorted(names) == family_names()
    assert {"chair", "teapot", "human", "hand"} <= set(names)


def test_preview_is_a_picture_of_the_families_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    from PIL import Image

    path = tmp_path / "sheet.png"
    assert main(["data", "preview", "-o", str(path), "--family", "chair", "mug", "--count", "3", "--columns", "2"]) == 0
    assert capsys.readouterr().out.strip() == f"{path}: 3 shapes"
    picture = np.asarray(Image.open(path).convert("RGB"))
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20, "shapes are drawn in several colours"


def test_a_mixed_preview_shows_what_training_sees(tmp_path: Path) -> None:
    captions = preview(tmp_path / "sheet.png", count=7, columns=4, seed=2, mixed=True)
    data = ProceduralDataset("train", 7, seed=2)
    assert captions == [f"{data.shape(i).family} 2/{i}" for i in range(7)]
    assert main(["data", "preview", "-o", str(tmp_path / "x.png"), "--count", "1", "--mixed"]) == 0


def test_a_sample_is_the_shape_with_or_without_its_parts(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole.npz", tmp_path / "parts.npz"
    command = ["data", "sample", "--family", "chair", "--index", "3"]
    assert main([*command, str(whole)]) == 0
    assert main([*command, str(parts), "--level", "fine"]) == 0
    made = generate(0, 3, "chair")
    first, second = Segmentation.load(whole), Segmentation.load(parts)
    np.testing.assert_array_equal(first.shape.faces, made.faces)
    assert first.n_parts == 1
    np.testing.assert_array_equal(second.labels, made.labels("fine"))


def test_samples_are_deterministic_and_fused_ones_are_one_piece() -> None:
    from partseg.geometry.adjacency import connected_components, face_adjacency

    first, second = (generate(1, 2, "mug", fused=True) for _ in range(2))
    np.testing.assert_array_equal(first.vertices, second.vertices)
    assert connected_components(face_adjacency(first.faces), len(first.faces)).max() == 0
    assert not np.array_equal(generate(1, 2, "hand").vertices, generate(1, 3, "hand").vertices)


def test_an_unknown_family_lists_those_there_are(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["data", "sample", str(tmp_path / "x.glb"), "--family", "unicorn"]) == 1
    assert "unicorn: no such family (there are airplane" in capsys.readouterr().err
    assert main(["data", "preview", "-o", "/proc/x.png", "--family", "mug", "--count", "1"]) == 1
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--count=0", "--columns=-1", "--seed=-1", "--count=some"])
def test_numbers_out_of_range_are_wrong_usage(tmp_path: Path, option: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["data", "preview", "-o", str(tmp_path / "sheet.png"), option])
    assert caught.value.code == 2
    assert not list(tmp_path.iterdir())


def test_help_names_the_verbs_and_a_mistyped_one_is_told(capsys: pytest.CaptureFixture) -> None:
    assert main(["data", "--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"  {verb} " in out for verb in ("check", "prepare", "preview", "families", "sample"))
    assert main(["data", "chekc"]) == 2
    assert capsys.readouterr().err == "partseg data: unknown verb 'chekc'; did you mean 'check'?\n"
    assert main(["data"]) == 2
    assert "verbs: check, prepare" in capsys.readouterr().err
