"""Heat-map clicks: heat, simulated clicks and loss against literal forms, sessions against brute force, learning."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import lightning
import numpy as np
import pytest
import torch

from partseg.data.batch import PartBatch
from partseg.errors import PartsegError
from partseg.geometry.shape import Shape
from partseg.methods.click_simulation import mask_iou, simulate_clicks
from partseg.methods.configs import load_config
from partseg.methods.method import shapes_of
from partseg.testing.contract import cloud_of_two_balls, mesh_of_two_boxes
from partseg_baselines.heatmap_clicks.config import ClicksConfig, HeatmapClicksConfig
from partseg_baselines.heatmap_clicks.model import HeatmapNetwork, heat_around
from partseg_baselines.heatmap_clicks.module import HeatmapClicksModule
from partseg_baselines.heatmap_clicks.session import HeatmapClicks
from partseg_baselines.heatmap_clicks.training import clicked, drawn_parts, part_loss, simulated_clicks
from partseg_baselines.point_shapes import DenseShapes
from partseg_baselines.spec import HEATMAP_CLICKS


def config(name: str = "tiny", **sections: dict[str, Any]) -> HeatmapClicksConfig:
    made = HeatmapClicksConfig.model_validate(load_config(HEATMAP_CLICKS, name))
    return made.model_copy(update={k: getattr(made, k).model_copy(update=v) for k, v in sections.items()})


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Nearer(HeatmapNetwork):
    """Takes for the part what is nearer to a positive click than to a negative one, within a distance."""

    def __init__(self) -> None:
        super().__init__(config())

    def forward(self, points: torch.Tensor, normals: torch.Tensor, heat: torch.Tensor) -> torch.Tensor:
        return 40 * (heat[..., 0] - heat[..., 1].clamp(min=0.1))


def session(shape: Shape, points: int = 400, batch: int = 7, sigma: float = 0.4) -> HeatmapClicks:
    return HeatmapClicks(shape, Nearer().eval(), sigma=sigma, points=points, batch=batch)


# -- what the network sees and learns from ----------------------------------------------------------------------


def test_heat_is_a_gaussian_of_the_distance() -> None:
    points, spots = torch.randn(2, 5, 3, generator=seeded()), torch.randn(2, 3, generator=seeded(1))
    got = heat_around(spots, points, 0.7)
    for i in range(2):
        for j in range(5):
            apart = np.linalg.norm(points[i, j] - spots[i])
            assert float(got[i, j]) == pytest.approx(np.exp(-(apart**2) / (2 * 0.7**2)), rel=1e-5)
    torch.testing.assert_close(heat_around(points[0, 3], points[0], 0.1)[3], torch.tensor(1.0))
    torch.testing.assert_close(heat_around(spots, points[:1], 0.7)[1], heat_around(spots[1], points[0], 0.7))


def test_every_part_is_drawn_as_often_whatever_its_size() -> None:
    labels = torch.tensor([[0] * 90 + [2] * 5 + [-1] * 5, [-1] * 100, [4] * 100]).repeat(1000, 1)
    drawn = drawn_parts(labels, seeded()).view(1000, 3, 100)
    first = drawn[:, 0]
    assert ((first == (labels[0] == 0)).all(1) | (first == (labels[0] == 2)).all(1)).all()
    assert 0.45 < first[:, 0].float().mean() < 0.55
    assert not drawn[:, 1].any() and drawn[:, 2].all()


def test_a_click_stands_on_an_error_and_has_the_sign_of_the_truth_there() -> None:
    points = torch.randn(3, 40, 3, generator=seeded())
    target = torch.rand(3, 40, generator=seeded(1)) < 0.5
    wrong = torch.rand(3, 40, generator=seeded(2)) < 0.2
    wrong[2] = False
    before = torch.rand(3, 40, 2, generator=seeded(3)) * 0.9
    seen = set()
    for seed in range(60):
        after = clicked(before, points, target, wrong, 0.3, seeded(seed))
        assert after[2].equal(before[2])
        for i in range(2):
            spot, sign = divmod(int((after[i] == 1).flatten().nonzero()), 2)
            assert wrong[i, spot] and sign == (0 if target[i, spot] else 1)
            expected = before[i].clone()
            expected[:, sign] = torch.maximum(expected[:, sign], heat_around(points[i, spot], points[i], 0.3))
            torch.testing.assert_close(after[i], expected)
            seen.add((i, spot))
    assert seen == {(int(i), int(spot)) for i, spot in wrong[:2].nonzero()}


def test_simulated_clicks_begin_in_the_part_and_correct_the_network() -> None:
    """A network that knows the answer gets the first click alone; one that never selects, only positive ones."""
    points = torch.randn(4, 50, 3, generator=seeded())
    labels = torch.randint(-1, 3, (4, 50), generator=seeded(1))
    shapes, target = DenseShapes(points, labels, labels, points), labels == 1
    settings = ClicksConfig(sigma=0.05, training=6)

    class Says(Nearer):
        def __init__(self, logits: torch.Tensor) -> None:
            super().__init__()
            self.logits, self.asked = logits, 0

        def forward(self, points: torch.Tensor, normals: torch.Tensor, heat: torch.Tensor) -> torch.Tensor:
            assert not self.training
            self.asked += 1
            return self.logits

    def places(logits: torch.Tensor, seed: int) -> tuple[torch.Tensor, int]:
        network = Says(logits).train()
        heat = simulated_clicks(network, shapes, target, settings, seeded(seed))
        assert network.training
        return heat == 1, network.asked

    known = labels >= 0
    counts = set()
    for seed in range(30):
        right, asked = places(torch.where(target, 9.0, -9.0), seed)
        assert (right[..., 0].sum(1) == 1).all() and not right[..., 1].any() and not (right[..., 0] & ~target).any()
        never, _ = places(torch.full((4, 50), -9.0), seed)
        assert not never[..., 1].any() and not (never[..., 0] & ~target).any()
        always, _ = places(torch.full((4, 50), 9.0), seed)
        assert (always[..., 0].sum(1) == 1).all() and not (always[..., 1] & (target | ~known)).any()
        counts.add(asked + 1)
    assert counts == set(range(1, 7))


def test_the_loss_is_the_cross_entropy_of_labelled_points() -> None:
    logits = torch.randn(2, 6, generator=seeded())
    target, known = torch.rand(2, 6, generator=seeded(1)) < 0.4, torch.rand(2, 6, generator=seeded(2)) < 0.7
    p = 1 / (1 + np.exp(-logits.numpy()))
    each = np.where(target, -np.log(p), -np.log(1 - p))
    assert float(part_loss(logits, target, known)) == pytest.approx(each[known.numpy()].mean(), rel=1e-5)
    assert float(part_loss(logits, target, torch.zeros_like(known))) == 0


def test_one_cloud_under_many_clicks_is_many_clouds() -> None:
    network = HeatmapNetwork(config()).eval()
    points, normals = torch.randn(2, 1, 60, 3, generator=seeded()) * 0.4
    heat = torch.rand(3, 60, 2, generator=seeded(1))
    each = network(points.repeat(3, 1, 1), normals.repeat(3, 1, 1), heat)
    torch.testing.assert_close(network(points, normals, heat), each, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(network.train().probability(points, normals, heat), each.sigmoid(), rtol=1e-4, atol=1e-5)
    assert network.training


# -- sessions ---------------------------------------------------------------------------------------------------


def test_a_session_selects_by_the_network_and_takes_steps_back() -> None:
    """On two balls: the positive click takes the one, a negative click leaves out what is nearer to it."""
    shape = cloud_of_two_balls(300)
    clicks = session(shape, 1000, sigma=0.3)
    assert not clicks.mask.any() and not clicks.add_click(7, positive=False).any()
    clicks.undo()
    one = clicks.add_click(3).copy()
    assert one[3] and one[:150].any() and not one[150:].any()
    far = int(np.flatnonzero(one)[np.linalg.norm(shape.points[one] - shape.points[3], axis=1).argmax()])
    two = clicks.add_click(far, positive=False).copy()
    assert not two[far] and two[3] and not (two & ~one).any()
    np.testing.assert_array_equal(clicks.undo(), one)
    np.testing.assert_array_equal(clicks.redo(), two)
    clicks.finish()
    assert list(clicks.parts) == ["part_1"] and not (clicks.add_click(3) & two).any()
    assert clicks.segmentation().labels[3] == 0
    clicks.fine_tune()
    with pytest.raises(PartsegError, match="no element 300"):
        clicks.add_click(300)


def test_a_triangle_has_the_mean_probability_of_its_points() -> None:
    shape = mesh_of_two_boxes()
    clicks = session(shape, 2000)
    mask = clicks.add_click(5)
    sample = shape.normalized().sampled(2000, 0)
    low, high = sample.points.min(0), sample.points.max(0)
    radius = np.linalg.norm(sample.points - (low + high) / 2, axis=1).max()
    place = shape.normalized().face_centroids[5]
    heat = np.exp(-((np.linalg.norm(sample.points - place, axis=1) / radius / 0.4) ** 2) / 2)
    probability = 1 / (1 + np.exp(-40 * (heat - 0.1)))
    expected = [probability[sample.face_index == face].mean() > 0.5 for face in range(24)]
    np.testing.assert_array_equal(mask, expected)
    assert 0 < mask.sum() < 24


@pytest.mark.parametrize("batch", [1, 7, 100])
@pytest.mark.parametrize("kind", ["mesh", "cloud", "thinned"])
def test_tried_clicks_are_what_the_session_then_shows(kind: str, batch: int) -> None:
    shape = mesh_of_two_boxes() if kind == "mesh" else cloud_of_two_balls(60)
    clicks = session(shape, {"mesh": 300, "cloud": 60, "thinned": 40}[kind], batch)
    n = shape.n_elements
    truth = np.random.default_rng(0).random(n) < 0.5
    clicks.add_click(0)
    clicks.finish()
    changed = 0
    for element, positive in ((None, True), (n // 3, True), (n // 2, False), (n - 1, True)):
        if element is not None:
            clicks.add_click(element, positive)
        found = clicks.try_clicks(np.arange(n), truth)
        for row, sign in enumerate((True, False)):
            for candidate in range(n):
                assert found[row, candidate] == mask_iou(clicks.add_click(candidate, sign), truth)
                clicks.undo()
                changed += found[row, candidate] != mask_iou(clicks.mask, truth)
    assert changed > n


def test_the_simulated_annotator_gets_what_clicking_and_undoing_gives() -> None:
    class Plain:
        def __init__(self, clicks: HeatmapClicks) -> None:
            self.clicks = clicks
            self.add_click, self.undo, self.fine_tune = clicks.add_click, clicks.undo, clicks.fine_tune

        @property
        def mask(self) -> np.ndarray:
            return self.clicks.mask

    shape = cloud_of_two_balls(120)
    truth = shape.points[:, 2] > 0.2
    known, other = session(shape), session(shape)
    ious = simulate_clicks(known, truth, 5, 40)
    np.testing.assert_array_equal(ious, simulate_clicks(Plain(other), truth, 5, 40))
    assert known.clicks == other.clicks and ious[-1] > ious[0] > 0


def test_smallest_shapes_and_bare_clouds() -> None:
    method = HeatmapClicksModule(config())
    shapes = [
        Shape.from_mesh(np.eye(3), np.array([[0, 1, 2]])),
        *(Shape.from_points(np.arange(3.0 * n).reshape(n, 3)) for n in (1, 2, 3)),
        Shape.from_points(np.zeros((30, 3))),
        cloud_of_two_balls(600, normals=False),
    ]
    for shape in shapes:
        clicks = method.start(shape)
        assert clicks.add_click(0).shape == (shape.n_elements,)
        assert np.isfinite(clicks.try_clicks(np.arange(shape.n_elements), np.ones(shape.n_elements, bool))).all()
    assert method.training  # a session leaves the mode as it is


# -- training ---------------------------------------------------------------------------------------------------


def fit(method: HeatmapClicksModule, batches: list[PartBatch], **options: Any) -> lightning.Trainer:
    lightning.seed_everything(0, verbose=False)
    trainer = lightning.Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, **({"max_epochs": 1} | options),
    )  # fmt: skip
    trainer.fit(method.train(), torch.utils.data.DataLoader(batches, batch_size=None))
    return trainer


def test_it_learns_what_clicks_mean(overfit_batch: PartBatch) -> None:
    """One click into each part of four shapes: before and after a few steps on them."""

    def after_one_click(method: HeatmapClicksModule) -> float:
        found = []
        for i, shape in enumerate(shapes_of(overfit_batch)):
            labels, clicks = overfit_batch[i].labels["coarse"].numpy(), method.eval().start(shape)
            for part in range(labels.max() + 1):
                found.append(simulate_clicks(clicks, labels == part, 1, 16)[0])
                clicks.undo()
        return float(np.mean(found))

    torch.manual_seed(0)
    method = HeatmapClicksModule(config(data={"level": "coarse"}, clicks={"training": 3}))
    before = after_one_click(method)
    trainer = fit(method, [overfit_batch] * 200)
    assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(0, abs=1e-9)
    assert after_one_click(method) > before + 0.3


def test_the_rate_stays_where_nobody_knows_when_training_ends() -> None:
    method = HeatmapClicksModule(config())
    method._trainer = SimpleNamespace(estimated_stepping_batches=math.inf)  # Lightning's answer then
    assert isinstance(method.configure_optimizers(), torch.optim.Adam)


def test_validation_draws_the_same_every_time(overfit_batch: PartBatch) -> None:
    torch.manual_seed(0)
    method = HeatmapClicksModule(config())
    method._logged = lambda stage, batch, loss, iou: loss
    values = [method.eval().validation_step(overfit_batch, i).item() for i in (0, 1, 0)]
    assert values[0] == values[2] != values[1]


def test_any_level_is_drawn_and_a_missing_one_is_said(overfit_batch: PartBatch) -> None:
    drawn = {
        tuple(HeatmapClicksModule(config())._dense(overfit_batch, seeded(i)).labels.amax(1).tolist()) for i in range(20)
    }
    levels = [[int(overfit_batch[i].labels[level].max()) for i in range(4)] for level in overfit_batch.labels]
    assert drawn == {tuple(row) for row in levels}
    with pytest.raises(PartsegError, match="not of level 'finest'"):
        HeatmapClicksModule(config(data={"level": "finest"})).compute_loss(overfit_batch)
    with pytest.raises(PartsegError, match="labels of none"):
        HeatmapClicksModule(config()).compute_loss(replace(overfit_batch, labels={}))


def test_bare_batches_and_points_inside_the_solid(overfit_batch: PartBatch) -> None:
    method = HeatmapClicksModule(config(data={"points": None}))
    bare = method._dense(replace(overfit_batch, normals=None), None)
    agree = (bare.normals * overfit_batch.normals.view(4, -1, 3)).sum(2).abs()
    assert agree.median() > 0.9
    surface = torch.arange(len(overfit_batch.points)) % 2 == 0
    flagged = replace(overfit_batch, surface=surface, hierarchies=())
    torch.testing.assert_close(method._dense(flagged, None).points.shape, torch.Size([4, 256, 3]))
