"""Scores and files of predictions, through a real Trainer on a method without parameters worth the name."""

from __future__ import annotations

from pathlib import Path

import lightning
import numpy as np
import pydantic
import pytest
import torch

from partseg.callbacks import EvaluateParts, SavePredictions
from partseg.data.batch import PartBatch
from partseg.errors import PartsegError
from partseg.methods.method import Method, shapes_of
from partseg.metrics.functional.class_agnostic import class_agnostic_miou
from partseg.parts.segmentation import Segmentation
from partseg.spec import MethodSpec

SPEC = MethodSpec(name="toy", summary="a toy", method="builtins:object", license="MIT", capabilities=("segmenter",))


class NoConfig(pydantic.BaseModel):
    pass


class Blind(Method):
    """Learns, but cannot segment."""

    spec, config_class = SPEC, NoConfig

    def __init__(self) -> None:
        super().__init__(NoConfig())
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def validation_step(self, batch: PartBatch, batch_idx: int) -> torch.Tensor:
        return self.weight.sum()


class Halves(Blind):
    """Cuts at x = 0."""

    def segment(self, shape, *, parts=None, level=None) -> Segmentation:
        right = shape.points[:, 0] > 0
        return Segmentation(shape, (right != right[0]).astype(np.int64))


def batches() -> list[PartBatch]:
    rng = np.random.default_rng(0)
    out = []
    for i, sizes in enumerate(((40, 30), (50,))):
        points = torch.from_numpy(rng.normal(size=(sum(sizes), 3)).astype(np.float32))
        labels = {"coarse": (points[:, 0] > 0).long(), "fine": torch.from_numpy(rng.integers(-1, 4, sum(sizes)))}
        ptr = torch.tensor([0, *np.cumsum(sizes)])
        names = tuple(f"shape {i}/{j}" for j in range(len(sizes)))
        out.append(PartBatch(points=points, ptr=ptr, labels=labels, names=names))
    return out


def trainer(*callbacks: lightning.Callback) -> lightning.Trainer:
    return lightning.Trainer(
        accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False, callbacks=[*callbacks]
    )


def loader(items: list[PartBatch]) -> torch.utils.data.DataLoader:
    return torch.utils.data.DataLoader(items, batch_size=None)


def expected(level: str) -> float:
    method, scores = Halves(), []
    for batch in batches():
        for shape, start, end in zip(shapes_of(batch), batch.ptr[:-1], batch.ptr[1:]):
            scores.append(class_agnostic_miou(method.segment(shape).labels, batch.labels[level][start:end].numpy()))
    return float(np.mean(scores))


def test_test_scores_every_level_of_the_data() -> None:
    (logged,) = trainer(EvaluateParts()).test(Halves(), loader(batches()), verbose=False)
    assert set(logged) == {"test/miou_coarse", "test/miou_fine"}
    assert logged["test/miou_coarse"] == pytest.approx(1.0)
    assert logged["test/miou_fine"] == pytest.approx(expected("fine"), abs=1e-6)
    assert 0 < logged["test/miou_fine"] < 1


def test_scores_do_not_add_up_over_runs() -> None:
    once = EvaluateParts()
    runs = [trainer(once).test(Halves(), loader(batches()), verbose=False) for _ in range(2)]
    assert runs[0] == runs[1]


def test_validation_segments_only_when_asked() -> None:
    (logged,) = trainer(EvaluateParts()).validate(Halves(), loader(batches()), verbose=False)
    assert logged == {}
    (logged,) = trainer(EvaluateParts(validation_shapes=2)).validate(Halves(), loader(batches()), verbose=False)
    assert logged["val/miou_coarse"] == pytest.approx(1.0)


def test_validation_of_a_method_that_does_not_segment_warns_and_goes_on() -> None:
    with pytest.warns(UserWarning, match="does not segment shapes"):
        (logged,) = trainer(EvaluateParts(validation_shapes=2)).validate(Blind(), loader(batches()), verbose=False)
    assert logged == {}


def test_predictions_are_files_in_the_order_of_the_data(tmp_path: Path) -> None:
    saver = SavePredictions(str(tmp_path / "out"), formats=("npz", ".json"))
    trainer(saver).predict(Halves(), loader(batches()), return_predictions=False)
    names = sorted(file.name for file in (tmp_path / "out").iterdir())
    assert names == [f"00000{i}-shape-{n}.{s}" for i, n in enumerate(("0-0", "0-1", "1-0")) for s in ("json", "npz")]
    again = Segmentation.load(tmp_path / "out" / "000001-shape-0-1.npz")
    truth = batches()[0].labels["coarse"][40:]
    assert class_agnostic_miou(again.labels, truth.numpy()) == 1.0


def test_a_method_that_does_not_segment_says_so() -> None:
    with pytest.raises(PartsegError, match="'toy' does not segment"):
        trainer().predict(Blind(), loader(batches()))


def test_shapes_of_a_batch_carry_what_the_batch_has() -> None:
    batch = batches()[0]
    first, second = shapes_of(batch)
    assert (first.n_elements, second.n_elements) == (40, 30)
    np.testing.assert_array_equal(second.points, batch.points[40:].numpy())
    assert first.normals is None
    assert (first.name, second.name) == ("shape 0/0", "shape 0/1")
