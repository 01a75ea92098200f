"""PartNet's detection by segmentation: architecture, losses against literal formulations, inference, training."""

from __future__ import annotations

from itertools import permutations

import lightning
import numpy as np
import pytest
import torch

from partseg.methods.configs import load_config
from partseg_baselines.partnet_segmentation.config import LossConfig, PartNetSegmentationConfig, SlotInferenceConfig
from partseg_baselines.partnet_segmentation.losses import detection_loss, match_slots, soft_iou
from partseg_baselines.partnet_segmentation.model import PartNetSegmentation, Prediction, parts_of
from partseg_baselines.partnet_segmentation.module import PartNetSegmentationModule
from partseg_baselines.point_shapes import DenseShapes
from partseg_baselines.spec import PARTNET_SEGMENTATION


def config(name: str) -> PartNetSegmentationConfig:
    return PartNetSegmentationConfig.model_validate(load_config(PARTNET_SEGMENTATION, name))


def test_the_paper_config_is_the_default_but_for_data_and_completion():
    paper = config("paper")
    assert not paper.data.normalize and not paper.inference.complete
    same = {
        "data": paper.data.model_copy(update={"normalize": True}),
        "inference": paper.inference.model_copy(update={"complete": True}),
    }
    assert paper.model_copy(update=same) == PartNetSegmentationConfig()


def test_the_paper_config_has_the_published_widths():
    paper = config("paper")
    classes = paper.data.model_copy(update={"classes": 38})
    net = PartNetSegmentation(paper.model_copy(update={"data": classes}))

    def widths(branch) -> list[int]:
        layers = [layer for layer in branch.modules() if isinstance(layer, torch.nn.Linear)]
        assert all(layer.bias is None for layer in layers[:-1]) and layers[-1].bias is not None
        return [layers[0].in_features, *(layer.out_features for layer in layers)]

    assert widths(net.semantic) == [128, 256, 256, 128, 39]
    assert widths(net.instance) == [128, 256, 256, 128, 201]
    assert widths(net.confidence) == [1024, 256, 256, 200]
    with torch.no_grad():
        out = net.eval()(torch.randn(1, 700, 3))
    assert out.classes.shape == (1, 700, 39) and out.slots.shape == (1, 201, 700) and out.confidence.shape == (1, 200)
    torch.testing.assert_close(out.slots.sum(dim=1), torch.ones(1, 700))


def example(b: int = 2, n: int = 30, slots: int = 5, parts: int = 3, classes: int = 4, seed: int = 0):
    """A random prediction, and shapes of which the second lacks a part."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(-1, parts, (b, n), generator=generator)
    labels[1][labels[1] == parts - 1] = 0
    kinds = torch.where(labels >= 0, labels % classes, -1)
    shapes = DenseShapes(torch.zeros(b, n, 3), labels, kinds)
    logits = torch.randn(b, slots + 1, n, generator=generator, requires_grad=True)
    prediction = Prediction(
        torch.randn(b, n, classes + 1, generator=generator), (3 * logits).softmax(dim=1),
        torch.rand(b, slots, generator=generator),
    )  # fmt: skip
    return prediction, shapes, logits


def literal(prediction: Prediction, shapes: DenseShapes, config: LossConfig) -> dict[str, float]:
    """The five terms, shape by shape, trying every assignment."""
    terms = {name: [] for name in ("semantic", "instance", "other", "sparsity", "confidence")}
    for logits, slots, confidence, labels, kinds in zip(
        prediction.classes.double().numpy(), prediction.slots.detach().double().numpy(),
        prediction.confidence.double().numpy(), shapes.labels.numpy(), shapes.classes.numpy(), strict=True,
    ):  # fmt: skip
        parts = [labels == part for part in np.unique(labels[labels >= 0])]

        def iou(a, b):
            return (a * b).sum() / (a.sum() + b.sum() - (a * b).sum() + 1e-8)

        table = np.array([[iou(slot, part) for part in parts] for slot in slots[:-1]])
        best = max(permutations(range(len(table)), len(parts)), key=lambda s: sum(table[s, range(len(parts))]))
        terms["instance"].append(-table[best, range(len(parts))].mean())
        terms["other"].append(-iou(slots[-1], labels == -1))
        terms["sparsity"].append(sum(np.sqrt(((slot + 1e-6) ** 2).sum()) for slot in slots) / len(labels))
        probability = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        terms["semantic"].append(-np.log(probability[range(len(labels)), kinds + 1]).mean())
        target = np.zeros(len(table))
        target[list(best)] = table[best, range(len(parts))]
        error, high = (confidence - target) ** 2, target > config.confident_iou
        means = [error[some].mean() if some.any() else 0.0 for some in (high, ~high)]
        terms["confidence"].append(sum(means))
    return {name: float(np.mean(values)) for name, values in terms.items()}


@pytest.mark.parametrize("seed", range(4))
def test_the_losses_equal_the_literal_ones(seed):
    prediction, shapes, _ = example(seed=seed)
    weights = LossConfig(semantic=0.5, instance=2.0, other=3.0, sparsity=0.1, confidence=0.7, confident_iou=0.15)
    loss, terms = detection_loss(prediction, shapes, weights)
    expected = literal(prediction, shapes, weights)
    assert {name: float(term) for name, term in terms.items()} == pytest.approx(expected, rel=1e-4)
    total = sum(getattr(weights, name) * value for name, value in expected.items())
    assert loss.item() == pytest.approx(total, rel=1e-4)


def test_the_matching_has_the_largest_total_and_leaves_invalid_parts_out():
    iou = torch.tensor([[[0.9, 0.8, 0.1], [0.8, 0.1, 0.9]]])
    valid = torch.tensor([[True, True, False]])
    assert match_slots(iou, valid).tolist() == [[1, 0, -1]]  # 0.8 + 0.8 beats 0.9 + 0.1
    more_parts = match_slots(iou, torch.ones(1, 3, dtype=torch.bool))
    assert sorted(more_parts[0].tolist()) == [-1, 0, 1]


def test_no_gradient_passes_through_the_matching_or_the_confidence_target():
    prediction, shapes, logits = example()
    loss, _ = detection_loss(prediction, shapes, LossConfig(semantic=0, other=0, sparsity=0, confidence=1))
    (got,) = torch.autograd.grad(loss, logits, retain_graph=True)
    truth = shapes.one_hot()
    iou = soft_iou(prediction.slots[:, :-1], truth)
    slot = match_slots(iou, truth.any(dim=2))  # now a constant
    total = torch.stack(
        [iou[i, slot[i, slot[i] >= 0], torch.nonzero(slot[i] >= 0)[:, 0]].mean() for i in range(len(iou))]
    )
    (expected,) = torch.autograd.grad(-total.mean(), logits)
    torch.testing.assert_close(got, expected)


def test_a_perfect_prediction_has_the_lowest_terms():
    _, shapes, _ = example(parts=3)
    slots = torch.cat([shapes.one_hot(), torch.zeros(2, 2, 30), (shapes.labels < 0).float()[:, None]], dim=1)
    logits = 50 * torch.nn.functional.one_hot(shapes.classes + 1, 5).float()
    confidence = torch.tensor([[1.0, 1, 1, 0, 0], [1, 1, 0, 0, 0]])
    _, terms = detection_loss(Prediction(logits, slots, confidence), shapes, LossConfig())
    expected = {"semantic": 0.0, "instance": -1.0, "other": -1.0, "confidence": 0.0}
    assert {name: float(terms[name]) for name in expected} == pytest.approx(expected, abs=1e-5)


def test_inference_by_hand():
    """Four slots: a part; a small one; one that is "other"; one below the threshold."""
    slots = torch.zeros(5, 12)
    slots[0, :5], slots[1, 5:7], slots[2, 7:10], slots[3, 10:] = 0.9, 0.9, 0.9, 0.5
    slots[4] = 1 - slots[:4].sum(dim=0)
    classes = torch.zeros(12, 3)
    classes[:, 0] = 0.1
    classes[:2, 1], classes[2:5, 2] = 9.0, 4.0  # by logits class 1 wins, by votes class 2 would
    classes[5:7, 1] = 3.0
    prediction = Prediction(classes[None], slots[None], torch.tensor([[0.7, 0.8, 0.9, 1.0]]))
    found = parts_of(prediction, SlotInferenceConfig(least_points=2))
    assert found.labels.tolist() == [0] * 5 + [-1] * 7
    assert found.classes.tolist() == [0] and found.scores == pytest.approx([0.7])
    both = parts_of(prediction, SlotInferenceConfig(least_points=1))
    assert both.labels.tolist() == [0] * 5 + [1] * 2 + [-1] * 5
    assert both.classes.tolist() == [0, 0] and both.scores == pytest.approx([0.7, 0.8])


def test_the_rate_falls_in_stairs_of_samples():
    tiny = config("tiny")
    method = PartNetSegmentationModule(
        tiny.model_copy(update={"optim": tiny.optim.model_copy(update={"decay_samples": 100})})
    )
    made = method.configure_optimizers()
    optimizer, schedule = made["optimizer"], made["lr_scheduler"]["scheduler"]
    rates = []
    for seen in (0, 99, 100, 250):
        method.samples = seen
        optimizer.step()
        schedule.step()
        rates.append(optimizer.param_groups[0]["lr"] / tiny.optim.learning_rate)
    assert rates == pytest.approx([1, 1, 0.8, 0.64])


def test_overfits_four_shapes(overfit_batch, mean_iou):
    torch.manual_seed(0)
    tiny = config("tiny")
    data = tiny.data.model_copy(update={"level": "coarse"})
    method = PartNetSegmentationModule(tiny.model_copy(update={"data": data})).eval()
    before = mean_iou(method, overfit_batch, "coarse")
    trainer = lightning.Trainer(
        accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(method.train(), torch.utils.data.DataLoader([overfit_batch] * 120, batch_size=None))
    assert method.samples == 480
    assert mean_iou(method.eval(), overfit_batch, "coarse") > before + 0.3
