"""Coarse clouds: how many points, how blurred, how noisy."""

from __future__ import annotations

import pytest
import torch

from partseg.data.coarse import coarsen


def seed(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(number)


def test_coarse_clouds_are_as_asked_for() -> None:
    fine = torch.rand(2, 400, 3)
    plain = coarsen(fine, seed(1), 100, blur=0.0, sigma=0.0)
    assert plain.points.shape == (2, 100, 3)
    for cloud, points, rows in zip(fine, plain.points, plain.rows, strict=True):
        assert len(rows.unique()) == 100
        torch.testing.assert_close(points, cloud[rows])
    noisy = coarsen(fine, seed(1), 100, blur=0.0, sigma=0.05)
    assert (noisy.points - plain.points).std() == pytest.approx(0.05, rel=0.1)
    assert torch.equal(noisy.points, coarsen(fine, seed(1), 100, blur=0.0, sigma=0.05).points)
    blurred = coarsen(fine, seed(1), 100, blur=1.0, sigma=0.0)
    torch.testing.assert_close(blurred.points, fine.mean(1, keepdim=True).expand(-1, 100, -1))


def test_a_surface_is_blurred_alike_however_densely_it_is_sampled() -> None:
    def shrunk(n: int, blur: float) -> float:
        fine = torch.rand(1, n, 3, generator=seed(0)) * torch.tensor([1.0, 1.0, 0.0])
        return float(coarsen(fine, seed(1), 1000, blur=blur, sigma=0.0).points[0, :, 0].std() / fine[0, :, 0].std())

    assert shrunk(1000, 0.3) == pytest.approx(shrunk(8000, 0.3), rel=0.1)
    assert shrunk(1000, 0.3) < 0.8 * shrunk(8000, 0.3 / 8)  # as many neighbours of a denser sample blur less


def test_few_points_stay_few() -> None:
    out = coarsen(torch.zeros(1, 3, 3), seed(0), 100, sigma=0.0)
    assert out.points.shape == (1, 3, 3) and not out.points.any()
