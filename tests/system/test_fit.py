"""fit, test and predict through the program, on the embedded data, with a method of the workspace."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from partseg.cli.main import main
from partseg.parts.segmentation import Segmentation

QUIET = ["--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false", "--trainer.accelerator=cpu"]
SMALL = [
    *("--data.points=400", "--data.train_size=4", "--data.val_size=2", "--data.test_size=3", "--data.batch_size=2"),
    *("--data.assembled=1", "--data.fused=0", "--data.organic=0"),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_fit_test_and_predict(folder: Path, capsys: pytest.CaptureFixture) -> None:
    common = ["--config", "partfield/tiny", *SMALL, *QUIET]
    assert main(["fit", *common, "--trainer.max_steps=2", "--model.config.optim.learning_rate=0.002"]) == 0
    (checkpoint,) = folder.rglob("*.ckpt")
    assert "step=2" in checkpoint.name

    # the saved run config is complete and reads back: the same run once more, from that file alone
    (config,) = folder.rglob("config.yaml")
    saved = yaml.safe_load(config.read_text())
    assert saved["model"]["init_args"]["config"]["optim"]["learning_rate"] == 0.002
    assert "Unable to serialize" not in config.read_text()
    again = ["--config", str(config), "--trainer.default_root_dir=again", "--trainer.fast_dev_run=true"]
    assert main(["fit", *again]) == 0

    capsys.readouterr()
    assert main(["test", *common, "--ckpt_path", str(checkpoint)]) == 0
    out = capsys.readouterr().out
    assert "test/miou_coarse" in out
    assert "test/miou_fine" in out

    predict = ["--ckpt_path", str(checkpoint), "--predictions.folder=out"]
    assert main(["predict", *common, *predict]) == 0
    files = sorted((folder / "out").iterdir())
    assert len(files) == 3
    seg = Segmentation.load(files[0])
    assert seg.shape.n_elements == 400
    assert seg.tree is not None


def test_a_checkpoint_of_fit_segments_files(folder: Path) -> None:
    """What `fit` writes is what `--weights` reads."""
    import lightning

    from partseg.methods.registry import find_method
    from partseg_partfield.config import load_config

    method = find_method("partfield").load()(load_config("tiny"))
    trainer = lightning.Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, barebones=False)
    trainer.strategy.connect(method)
    trainer.save_checkpoint(folder / "last.ckpt", weights_only=True)
    (folder / "a.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nv 1 1 0\nf 1 2 3\nf 2 4 3\n")
    assert main(["segment", "a.obj", "--method", "partfield", "--weights", "last.ckpt"]) == 0
    assert (folder / "parts" / "a" / "labels.npy").exists()


def test_an_impossible_value_is_one_message_and_exit_two(folder: Path, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["fit", "--config", "partfield/tiny", "--model.config.optim.learning_rate=-1"])
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert "learning_rate" in error
    assert "Traceback" not in error
    assert main(["fit", "--config", "partfield/huge"]) == 1
    assert "it has: official, paper" in capsys.readouterr().err


@pytest.mark.parametrize("path", ["text.ckpt", "absent.ckpt", "absent"])
def test_a_bad_checkpoint_is_one_line(folder: Path, capsys: pytest.CaptureFixture, path: str) -> None:
    (folder / "text.ckpt").write_text("hello, this is no checkpoint")
    for option in ([f"--ckpt_path={path}"], ["--ckpt_path", path]):
        assert main(["test", "--config", "partfield/tiny", *option]) == 1
        assert capsys.readouterr().err.startswith(f"partseg: {path}: ")
