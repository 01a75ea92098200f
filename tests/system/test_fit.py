"""fit, test and predict through the program, on the embedded data, with a method of the workspace."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from lightning.pytorch.cli import LightningArgumentParser

from fakes.wandb_runs import history, images
from partseg.cli.main import main
from partseg.cli.train import named_run
from partseg.methods.configs import load_config
from partseg.methods.method import Method
from partseg.methods.registry import find, list_methods
from partseg.parts.segmentation import Segmentation
from partseg.spec import MethodSpec

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


@pytest.mark.slow
@pytest.mark.parametrize("method", [spec.name for spec in list_methods() if "tiny" in spec.configs])
def test_every_method_leaves_curves_and_pictures(folder: Path, method: str) -> None:
    watched = ["--trainer.val_check_interval=1", "--evaluation.validation_shapes=2", "--renders.shapes=1"]
    assert main(["fit", "--config", f"{method}/tiny", *SMALL, *QUIET, "--trainer.max_steps=2", *watched]) == 0
    (file,) = folder.rglob("metrics.csv")
    with file.open() as lines:
        rows = [*csv.DictReader(lines)]
    run = file.parent
    assert sorted({row["step"] for row in rows if row["val/loss"]}) == ["0", "1"]
    assert (run / "config.yaml").exists()
    assert [*(run / "checkpoints").iterdir()]
    if "segmenter" not in find("method", method).capabilities:
        assert "val/miou_fine" not in rows[0] and not (run / "renders").exists()
        return
    for level in ("coarse", "middle", "fine"):
        curve = [(row["step"], float(row[f"val/miou_{level}"])) for row in rows if row[f"val/miou_{level}"]]
        assert [step for step, _ in curve] == ["0", "1"]
        assert all(0 < score <= 1 for _, score in curve)
    assert [path.parent.name for path in sorted(run.glob("renders/*/000000-*.png"))] == ["step_000001", "step_000002"]


@pytest.fixture
def wandb(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """W&B as on a machine without an account."""
    module = pytest.importorskip("wandb", reason="needs partseg-core[wandb]")
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(folder / "no-netrc"))
    monkeypatch.setenv("WANDB_SILENT", "true")
    yield module
    module.finish()
    module.teardown()


@pytest.mark.slow
def test_a_run_on_wandb(folder: Path, wandb: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    arguments = ["--config", "partfield/tiny", *SMALL, *QUIET, "--trainer.max_steps=2", "--trainer.log_every_n_steps=1"]
    arguments += ["--evaluation.validation_shapes=1", "--trainer.logger=WandbLogger", "--trainer.logger.project=parts"]
    assert main(["fit", *arguments]) == 0
    wandb.finish()
    wandb.teardown()  # waits until everything is written
    logged = [name for row in history(folder) for name in row]
    assert {"train/loss", "val/loss", "val/miou_fine", "val/renders/filenames"} <= set(logged)
    assert len(images(folder)) == 2
    (file,) = folder.glob("lightning_logs/version_0/metrics.csv")  # the CSV file is written too
    assert {"train/loss", "val/loss", "val/miou_fine"} <= set(file.read_text().splitlines()[0].split(","))
    assert [path.name for path in folder.iterdir() if path.suffix == ".yaml"] == []  # all lies in the run's folder


def test_what_wandb_lacks_is_one_line(
    folder: Path, wandb: ModuleType, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["--config", "partfield/tiny", *SMALL, *QUIET, "--trainer.logger=WandbLogger"]
    assert main(["fit", *arguments]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("partseg: W&B: ") and "WANDB_MODE=offline" in error
    monkeypatch.setitem(sys.modules, "wandb", None)  # not installed
    assert main(["fit", *arguments]) == 1
    assert "pip install 'partseg-core[wandb]'" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("spec", [spec for spec in list_methods() if spec.trainable], ids=lambda spec: spec.name)
def test_fit_reads_a_named_config_as_the_method_does(spec: MethodSpec) -> None:
    """What a config leaves out has one default, whoever reads it: `fit`, the bench or Python."""
    parser = LightningArgumentParser()
    parser.add_lightning_class_args(Method, "model", subclass_mode=True)
    for name in spec.configs:
        config_class = spec.load().config_class
        wanted = config_class.model_validate(load_config(spec, name))
        read = parser.parse_object({"model": named_run(f"{spec.name}/{name}")["model"]}).as_dict()
        assert config_class.model_validate(read["model"]["init_args"]["config"]) == wanted, name


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
