"""`partseg convert recursive-partnet`: an authors' checkpoint becomes weights that segment."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from partseg.cli.main import main
from partseg.geometry.shape import Shape
from partseg.methods.registry import load_method
from partseg_recursive_partnet import convert


@pytest.fixture
def checkpoint(tmp_path, released_state):
    path = tmp_path / "partnet_final.pkl"
    torch.save(released_state, path)
    return path


def test_converts_and_segments(checkpoint, tmp_path, monkeypatch, capsys):
    clouds = [torch.from_numpy(np.random.default_rng(0).uniform(-0.5, 0.5, (2, 256, 6)).astype(np.float32))]
    monkeypatch.setattr(convert, "_clouds", lambda: clouds)
    assert main(["convert", "recursive-partnet", str(checkpoint), "-o", str(tmp_path / "chair")]) == 0
    told = capsys.readouterr().out
    card = json.loads((tmp_path / "chair" / "config.json").read_text())
    assert set(card["branch_misfit"]) == {"master", "master-literal", "newer"}
    best = min(card["branch_misfit"], key=card["branch_misfit"].get)
    assert card["config"]["network"]["points"]["branch"] == best and f"branch {best}: wrote" in told
    method = load_method("recursive-partnet", weights=tmp_path / "chair")
    seg = method.segment(Shape.from_points(clouds[0][0, :, :3].numpy(), name="noise"))
    assert seg.labels.shape == (256,)


def test_a_branch_can_be_told_and_other_files_are_refused(checkpoint, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["convert", "recursive-partnet", str(checkpoint), "-o", str(out), "--branch", "master"]) == 0
    assert json.loads((out / "config.json").read_text())["config"]["network"]["points"]["branch"] == "master"
    checkpoint.write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    assert main(["convert", "recursive-partnet", str(checkpoint), "-o", str(tmp_path / "no")]) == 1
    assert "reading it could run code" in capsys.readouterr().err and not (tmp_path / "no").exists()
    assert main(["convert", "recursive-partne", "x"]) == 2
    assert "did you mean 'recursive-partnet'?" in capsys.readouterr().err
