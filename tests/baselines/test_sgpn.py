"""SGPN: architecture, losses against literal formulations, grouping, calibration, both stages of training."""

from __future__ import annotations

from dataclasses import replace

import lightning
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from partseg.methods.configs import load_config
from partseg_baselines.point_shapes import DenseShapes
from partseg_baselines.sgpn.config import GroupingConfig, LossConfig, SgpnConfig
from partseg_baselines.sgpn.grouping import Calibration, merge_groups, parts_of
from partseg_baselines.sgpn.losses import alpha_of, group_iou, semantic_loss, sgpn_loss, similarity_loss
from partseg_baselines.sgpn.model import Prediction, Sgpn, squared
from partseg_baselines.sgpn.module import SgpnModule
from partseg_baselines.spec import SGPN


def config(name: str, **data) -> SgpnConfig:
    made = SgpnConfig.model_validate(load_config(SGPN, name))
    return made.model_copy(update={"data": made.data.model_copy(update=data)})


def quiet(**options) -> lightning.Trainer:
    return lightning.Trainer(
        accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, **options,
    )  # fmt: skip


def loader(batch, times: int) -> torch.utils.data.DataLoader:
    return torch.utils.data.DataLoader([batch] * times, batch_size=None)


def test_the_paper_config_is_the_default_but_for_data_and_completion():
    paper = config("paper", normalize=True)
    inference = paper.inference.model_copy(update={"complete": True})
    assert not paper.inference.complete and paper.model_copy(update={"inference": inference}) == SgpnConfig()


def test_the_first_stage_differs_in_stage_rate_and_norm():
    first, second = config("paper-semantics").model_dump(), config("paper").model_dump()
    assert first.pop("optim") == second.pop("optim") | {"learning_rate": 1e-3, "freeze_norm": False}
    assert first.pop("loss") == second.pop("loss") | {"semantics_only": True}
    assert first == second


def test_the_paper_config_has_the_published_widths():
    net = Sgpn(config("paper", classes=38))
    sizes = {name: tuple(p.shape) for name, p in net.named_parameters() if p.ndim == 2 and "backbone" not in name}
    assert sizes == {
        "features.linear.0.weight": (256, 128),
        "semantic.0.linear.0.weight": (128, 256),
        "semantic.1.weight": (38, 128),
        "similarity.weight": (128, 256),
        "confidence.0.linear.0.weight": (128, 256),
        "confidence.1.weight": (1, 128),
    }


def example(b: int = 2, n: int = 20, seed: int = 0) -> tuple[torch.Tensor, DenseShapes]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(-1, 4, (b, n), generator=generator)
    kinds = torch.where(labels >= 0, labels // 2, -1)
    return torch.randn(b, n, 3, generator=generator) * 0.6, DenseShapes(torch.zeros(b, n, 3), labels, kinds)


def literal_similarity(features, labels, kinds, alpha, k1, k2) -> float:
    total = pairs = 0
    for f, part, kind in zip(features, labels, kinds, strict=True):
        for i in range(len(f)):
            for j in range(len(f)):
                if part[i] < 0 or part[j] < 0:
                    continue
                pairs += 1
                d = ((f[i] - f[j]) ** 2).sum()
                if part[i] == part[j]:
                    total += d
                elif kind[i] == kind[j]:
                    total += alpha * max(0, k1 - d)
                else:
                    total += max(0, k2 - d)
    return total / pairs


@pytest.mark.parametrize("rows", [100, 7])
def test_the_double_hinge_equals_the_literal_one(rows):
    features, shapes = example()
    setting = LossConfig(same_class_margin=1.5, other_class_margin=2.5, rows=rows)
    loss = similarity_loss(features, shapes.labels, shapes.classes, 3.0, setting)
    values = (features.double().numpy(), shapes.labels.numpy(), shapes.classes.numpy())
    assert float(loss) == pytest.approx(literal_similarity(*values, 3.0, 1.5, 2.5), rel=1e-4)


def test_rows_at_a_time_change_neither_loss_nor_gradient():
    features, shapes = example(n=50)
    results = []
    for rows in (1000, 9):
        x = features.clone().requires_grad_(True)
        loss = similarity_loss(x, shapes.labels, shapes.classes, 2.0, LossConfig(rows=rows))
        results.append((loss.detach(), torch.autograd.grad(loss, x)[0]))
    torch.testing.assert_close(results[0], results[1])


def test_the_confidences_target_is_the_groups_iou():
    features, shapes = example()
    got = group_iou(features, shapes.labels, 1.0, 6)
    for f, part, values in zip(features, shapes.labels, got, strict=True):
        for i in range(len(f)):
            group = {j for j in range(len(f)) if ((f[i] - f[j]) ** 2).sum() < 1 and part[j] >= 0}
            own = {j for j in range(len(f)) if part[j] == part[i]}
            expected = 0.0 if part[i] < 0 else len(group & own) / len(group | own)
            assert float(values[i]) == pytest.approx(expected)


def test_classes_weigh_as_much_as_each_other():
    logits = torch.randn(1, 6, 3, generator=torch.Generator().manual_seed(0))
    kinds = torch.tensor([[0, 0, 0, 1, -1, -1]])
    each = torch.nn.functional.cross_entropy(logits[0, :4], kinds[0, :4], reduction="none")
    torch.testing.assert_close(semantic_loss(logits, kinds), (each[:3].mean() + each[3]) / 2)
    assert float(semantic_loss(logits, torch.full((1, 6), -1))) == 0


def test_alpha_rises_and_stops():
    assert [alpha_of(epoch, LossConfig()) for epoch in (0, 5, 20, 150)] == pytest.approx([2, 4, 10, 10])


def test_which_terms_count_when():
    features, shapes = example()
    prediction = Prediction(torch.randn(2, 20, 2), features, torch.rand(2, 20))
    early, log = sgpn_loss(prediction, shapes, 5, LossConfig())
    torch.testing.assert_close(early, log["similarity"])
    late, log = sgpn_loss(prediction, shapes, 6, LossConfig())
    torch.testing.assert_close(late, log["similarity"] + log["semantic"] + log["confidence"])
    first, log = sgpn_loss(prediction, shapes, 6, LossConfig(semantics_only=True))
    assert list(log) == ["semantic"] and float(first) == float(log["semantic"])
    with pytest.raises(ValueError, match="at least 2"):
        sgpn_loss(prediction._replace(classes=torch.zeros(2, 20, 1)), shapes, 0, LossConfig(semantics_only=True))


def literal_merge(rows: np.ndarray, least: int, iou: float, share: float) -> list[set[int]]:
    groups: list[set[int]] = []
    for row in rows:
        mine = set(np.flatnonzero(row).tolist())
        if len(mine) <= least:
            continue
        for i, group in enumerate(groups):
            common = len(mine & group)
            if common / len(mine | group) > iou or common / len(mine) > share:
                groups[i] = max(group, mine, key=len)
                break
        else:
            groups.append(mine)
    return groups


@given(st.integers(0, 10**6), st.integers(0, 12), st.integers(1, 15), st.integers(0, 3))
def test_merging_equals_the_literal_one(seed, seeds, points, least):
    rng = np.random.default_rng(seed)
    near = rng.random((seeds, points)) < rng.random((seeds, 1))
    got = merge_groups(near, least, 0.6, 0.8)
    assert [set(np.flatnonzero(row).tolist()) for row in got] == literal_merge(near, least, 0.6, 0.8)


def grouped(kinds: list[int], place: list[float], confidence: list[float], sizes=(0.0, 0.0), **rules):
    classes = torch.nn.functional.one_hot(torch.tensor(kinds), 2).float()
    prediction = Prediction(classes[None], torch.tensor(place)[None, :, None], torch.tensor(confidence)[None])
    setting = GroupingConfig(**({"group_points": 1, "least_points": 1} | rules))
    return parts_of(prediction, torch.tensor([0.25, 0.01]), torch.tensor(sizes), setting)


def test_groups_by_hand():
    """Class 0 falls into two places; class 1 lies at one of them and has a threshold of its own."""
    found = grouped([0, 0, 0, 0, 1, 1], [0.0, 0.1, 5.0, 5.1, 5.0, 5.05], [0.9, 0.7, 0.8, 0.6, 0.5, 0.9])
    assert found.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert found.classes.tolist() == [0, 0, 1]
    assert found.scores == pytest.approx([0.8, 0.7, 0.7])
    # points without confidence are no seeds, but members
    assert grouped([0] * 4, [0.0, 0.1, 5.0, 5.1], [0.9, 0.1, 0.1, 0.1]).labels.tolist() == [0, 0, -1, -1]
    # a class without seeds is one group
    assert grouped([0] * 4, [0.0, 0.1, 5.0, 5.1], [0.1] * 4).labels.tolist() == [0, 0, 0, 0]


def test_small_groups_are_dropped():
    kinds, place = [0] * 5, [0.0, 0.1, 0.2, 5.0, 5.1]
    assert grouped(kinds, place, [0.9] * 5).labels.tolist() == [0, 0, 0, 1, 1]
    assert grouped(kinds, place, [0.9] * 5, least_points=2).labels.tolist() == [0, 0, 0, -1, -1]
    assert grouped(kinds, place, [0.9] * 5, sizes=(1.0, 0), least_share=0.5).labels.tolist() == [0, 0, 0, -1, -1]


def test_calibration_parts_the_pairs():
    """Class 0 has two parts, inside of which points are 0.1 apart and between which 0.7; class 1 has one part."""
    features = torch.tensor([0.0, 0.1, 0.8, 0.9, 3.0, 3.1, 9.0])[:, None]
    labels, kinds = torch.tensor([0, 0, 1, 1, 2, 2, -1]), torch.tensor([0, 0, 0, 0, 1, 1, -1])
    found = Calibration(3, bins=20, most=1.0)
    found.update(features, labels, kinds, rows=4)
    found.update(features, labels, kinds, rows=100)
    assert found.thresholds(0.2).tolist() == pytest.approx([0.05, 0.2, 0.2])  # the first edge above 0.01
    assert found.sizes().tolist() == pytest.approx([2 / 7, 2 / 7, 0])
    same, other = found.pairs[1, 0], found.pairs[0, 0]
    assert same.sum() == 16 and other.sum() == 16
    assert other[: int(0.49 * 20)].sum() == 0


def test_distances_are_those_of_all_pairs():
    a, b = torch.randn(2, 4, 5), torch.randn(2, 6, 5)
    torch.testing.assert_close(squared(a, b), torch.cdist(a, b).square(), rtol=1e-4, atol=1e-4)


def test_a_first_stage_gives_the_second_its_start(overfit_batch, tmp_path):
    """Semantics first; then all losses with frozen statistics, from the first stage's weights."""
    batch = replace(overfit_batch, semantics={"coarse": overfit_batch.labels["coarse"] % 2})
    tiny = config("tiny", classes=2, level="coarse")
    torch.manual_seed(0)
    loss = tiny.loss.model_copy(update={"semantics_only": True})
    first = SgpnModule(tiny.model_copy(update={"loss": loss}))
    start = {name: value.clone() for name, value in first.state_dict().items()}
    quiet().fit(first.train(), loader(batch, 2))
    first.save_pretrained(tmp_path / "first")
    changed = {name for name, value in first.state_dict().items() if not value.equal(start[name])}
    assert any("semantic" in name for name in changed)
    assert not any(name.startswith(("model.similarity", "model.confidence.1")) for name in changed)

    optim = tiny.optim.model_copy(update={"start": str(tmp_path / "first"), "freeze_norm": True, "learning_rate": 1e-4})
    second = SgpnModule(tiny.model_copy(update={"optim": optim}))
    quiet().fit(second.train(), loader(batch, 2), loader(batch, 1))
    for name, value in second.state_dict().items():
        expected = first.state_dict()[name]
        if "running" in name:
            assert value.equal(expected), name
        elif name.startswith("model."):
            torch.testing.assert_close(value, expected, rtol=0, atol=1e-3)
    assert (second.sizes > 0).all()


def test_overfits_four_shapes(overfit_batch, mean_iou, tmp_path):
    """With three classes, so that neighbouring parts mostly differ in class, as they do in labelled data."""
    batch = replace(overfit_batch, semantics={"coarse": overfit_batch.labels["coarse"] % 3})
    torch.manual_seed(0)
    method = SgpnModule(config("tiny", level="coarse", classes=3)).eval()
    before = mean_iou(method, batch, "coarse")
    trainer = quiet(num_sanity_val_steps=0)
    trainer.fit(method.train(), loader(batch, 150), loader(batch, 1))
    assert float(trainer.callback_metrics["val/semantic"]) < 0.5
    assert mean_iou(method.eval(), batch, "coarse") > before + 0.1
    # what validation found travels with the weights
    method.save_pretrained(tmp_path)
    again = SgpnModule.from_pretrained(tmp_path)
    assert again.thresholds.equal(method.thresholds) and float(again.sizes[0]) > 0
