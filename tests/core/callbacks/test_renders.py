"""Pictures of validation shapes: what they show, and what loggers get, through a real Trainer on a toy method."""

from __future__ import annotations

import csv
from pathlib import Path

import lightning
import numpy as np
import pydantic
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger, WandbLogger
from lightning.pytorch.strategies import SingleDeviceStrategy
from PIL import Image

from fakes.wandb_runs import history, images
from partseg.callbacks import EvaluateParts, LogRenders
from partseg.callbacks.renders import comparison
from partseg.data.batch import PartBatch
from partseg.errors import PartsegError
from partseg.geometry.shape import Shape
from partseg.methods.method import Method
from partseg.ops import ward_tree
from partseg.parts.segmentation import Segmentation
from partseg.spec import MethodSpec

PAD, CELL = 12, 240


class NoConfig(pydantic.BaseModel):
    pass


class Blind(Method):
    """Learns one number, but cannot segment."""

    spec = MethodSpec(name="toy", summary="a toy", method="builtins:object", license="MIT", capabilities=("segmenter",))
    config_class = NoConfig

    def __init__(self) -> None:
        super().__init__(NoConfig())
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def training_step(self, batch: PartBatch, batch_idx: int) -> torch.Tensor:
        loss = (self.weight - 1).square().sum()
        self.log("train/loss", loss, batch_size=batch.n_shapes)
        return loss

    def validation_step(self, batch: PartBatch, batch_idx: int) -> None:
        self.log("val/loss", (self.weight - 1).square().sum(), batch_size=batch.n_shapes)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Slabs(Blind):
    """Cuts at x = -0.3 and 0.3, the right part first; refuses shapes of a certain name."""

    def __init__(self, refused: str = "") -> None:
        super().__init__()
        self.refused, self.asked = refused, []

    def segment(self, shape: Shape, *, parts: int | None = None, level: str | None = None) -> Segmentation:
        self.asked.append(shape.name)
        if shape.name == self.refused:
            raise PartsegError(f"{shape.name}: refused")
        return Segmentation(shape, 2 - slabs(shape.points))


def slabs(points: np.ndarray) -> np.ndarray:
    return np.digitize(points[:, 0], [-0.3, 0.3])


def ball(seed: int, n: int = 600) -> np.ndarray:
    points = np.random.default_rng(seed).normal(size=(n, 3))
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


def loader() -> torch.utils.data.DataLoader:
    """Two batches: two shapes and one."""
    out = []
    for names in (("a/0", "a/1"), ("b/0",)):
        points = np.concatenate([ball(sum(name.encode())) for name in names])
        labels = {"two": (points[:, 0] > 0).astype(np.int64), "three": slabs(points)}
        labels = {level: torch.from_numpy(part) for level, part in labels.items()}
        ptr = torch.arange(len(names) + 1) * 600
        out.append(PartBatch(points=torch.from_numpy(points), ptr=ptr, labels=labels, names=names))
    return torch.utils.data.DataLoader(out, batch_size=None)


def fit(method: Method, folder: Path, *callbacks: lightning.Callback, logger: object = True, **options: object) -> None:
    trainer = lightning.Trainer(
        accelerator="cpu",
        logger=[CSVLogger(folder)] if logger is True else logger,
        default_root_dir=folder,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        callbacks=[*callbacks],
        log_every_n_steps=1,
        **{"max_steps": 4, **options},
    )
    trainer.fit(method, loader(), loader())


def tiles(row: Image.Image) -> list[np.ndarray]:
    """The pictures of a row, without their captions."""
    pixels = np.asarray(row).astype(int)
    return [pixels[PAD : PAD + CELL, x : x + CELL] for x in range(PAD, pixels.shape[1], CELL + PAD)]


def colourful(tile: np.ndarray) -> float:
    """The share of pixels with a colour that is not grey."""
    return float((np.ptp(tile, axis=-1) > 40).mean())


def test_predicted_parts_have_the_colours_of_the_parts_they_match() -> None:
    shape = Shape.from_points(ball(0), name="ball")
    truth = slabs(shape.points)
    shown, true, predicted = tiles(comparison(Segmentation(shape, 2 - truth), {"three": truth}))
    assert colourful(shown) < 0.01 < 0.2 < colourful(true)
    np.testing.assert_array_equal(predicted, true)  # the same parts under other numbers: the same picture

    merged = np.minimum(truth, 1)  # two of the parts, of which the larger gives the colour
    _, true, predicted = tiles(comparison(Segmentation(shape, 1 - merged), {"three": truth}))
    changed = (predicted != true).any(-1)
    assert np.count_nonzero(truth == 1) > np.count_nonzero(truth == 2)
    assert 0.3 < changed.mean() < 0.5  # the third part's, once green, now the second's orange
    assert (true[changed].argmax(-1) == 1).mean() > 0.9 < (predicted[changed].argmax(-1) == 0).mean()


def test_every_level_is_shown_and_a_tree_is_cut_like_the_last() -> None:
    shape = Shape.from_points(ball(1, 200), name="ball")
    tree = ward_tree(shape.points, np.stack(np.triu_indices(200, 1), axis=1))
    levels = {"coarse": (shape.points[:, 0] > 0).astype(np.int64), "fine": slabs(shape.points) - 1}  # -1: in no part
    row = comparison(Segmentation(shape, tree.cut(9), tree=tree), levels)
    assert len(tiles(row)) == 4
    wanted = {k: tiles(comparison(Segmentation(shape, tree.cut(k)), levels)) for k in (2, 3)}
    np.testing.assert_array_equal(tiles(row), wanted[2])
    assert (tiles(row)[-1] != wanted[3][-1]).any()
    alone = comparison(Segmentation(shape, tree.cut(9), tree=tree), {})
    assert len(tiles(alone)) == 2


def test_every_validation_leaves_pictures_of_its_first_shapes(tmp_path: Path) -> None:
    method = Slabs()
    fit(method, tmp_path, LogRenders(shapes=2))
    assert method.asked == ["a/0", "a/1"] * 2  # of two epochs: neither the third shape nor the sanity check
    (folder,) = tmp_path.rglob("renders")
    assert folder.parent == tmp_path / "lightning_logs" / "version_0"
    files = sorted(str(file.relative_to(folder)) for file in folder.rglob("*.*"))
    assert files == [f"step_00000{step}/00000{i}-a-{i}.png" for step in (2, 4) for i in (0, 1)]
    for file in files:
        with Image.open(folder / file) as picture:
            assert picture.format == "PNG"
            assert picture.size == (4 * (CELL + PAD) + PAD, CELL + 26 + 2 * PAD)
            shown, *labelled = tiles(picture)
        assert all(tile.std() > 20 for tile in (shown, *labelled))  # none is blank
        assert all(colourful(tile) > 0.2 for tile in labelled)
        np.testing.assert_array_equal(labelled[2], labelled[1])  # the method finds the parts of the last level


def test_what_nobody_would_see_is_not_segmented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    method = Slabs()
    fit(method, tmp_path, LogRenders(), logger=False)
    fit(method, tmp_path, LogRenders(shapes=0))
    fit(Blind(), tmp_path, LogRenders())
    monkeypatch.setattr(SingleDeviceStrategy, "is_global_zero", False)  # as on a second process
    fit(method, tmp_path, LogRenders())
    assert method.asked == []
    assert not [*tmp_path.rglob("*.png")]


def test_a_shape_that_is_refused_stops_no_training(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="no picture of a validation shape: a/0: refused"):
        fit(Slabs(refused="a/0"), tmp_path, LogRenders(shapes=2), max_steps=2)
    assert [file.name for file in tmp_path.rglob("*.png")] == ["000000-a-1.png"]


def test_wandb_gets_curves_and_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb = pytest.importorskip("wandb", reason="needs partseg-core[wandb]")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    loggers = [CSVLogger(tmp_path), WandbLogger(project="parts", save_dir=tmp_path)]
    try:
        fit(Slabs(), tmp_path, EvaluateParts(validation_shapes=9), LogRenders(shapes=2), logger=loggers)
    finally:
        wandb.finish()
        wandb.teardown()
    rows = history(tmp_path)
    (file,) = tmp_path.rglob("metrics.csv")
    with file.open() as lines:
        table = [*csv.DictReader(lines)]
    for name, values in {"train/loss": 4, "val/loss": 2, "val/miou_two": 2, "val/miou_three": 2}.items():
        curve = [(row["trainer/global_step"], row[name]) for row in rows if name in row]
        assert len(curve) == values
        assert curve == [(int(row["step"]), pytest.approx(float(row[name]))) for row in table if row[name]]
    assert {row["val/miou_three"] for row in rows if "val/miou_three" in row} == {1.0}
    shown = [row for row in rows if "val/renders/filenames" in row]
    assert [row["val/renders/captions"] for row in shown] == [["a/0", "a/1"]] * 2
    scored = [row["trainer/global_step"] for row in rows if "val/loss" in row]
    assert [row["trainer/global_step"] for row in shown] == scored  # one place on the axis
    pixels = [image[PAD : PAD + CELL, -CELL - PAD : -PAD].astype(int) for image in images(tmp_path)]
    assert len(pixels) >= 2  # W&B keeps equal pictures once
    assert all(colourful(tile) > 0.2 for tile in pixels)
