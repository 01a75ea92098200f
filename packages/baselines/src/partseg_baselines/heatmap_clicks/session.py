"""A click session on what the network says of the clicks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from partseg.geometry.shape import Shape
from partseg.methods.click_records import Click
from partseg.methods.click_session import PartClicks
from partseg.ops.normals import estimate_normals
from partseg.ops.transfer import carry_weights
from partseg_baselines.heatmap_clicks.model import NEGATIVE, POSITIVE, HeatmapNetwork, heat_around
from partseg_baselines.point_shapes import sphere_of

_VALUES = 2**24  # of elements held at a time


class HeatmapClicks(PartClicks):
    """Selects the elements that the network gives a probability above 0.5; one pass of the network a click.

    A triangle has the mean probability of its points. Clicks act by their place: on a mesh, the centroid of the
    triangle. Nothing is selected before the first positive click. Clicked elements are not forced in or out.

    Args:
        shape: what is clicked on.
        network: on its device; used in evaluation mode, and left in the mode it has.
        sigma: of the heat, see `heat_around`.
        points: that the network reads, sampled from a mesh or drawn from a larger cloud. seed: of the sample.
        batch: clicks that `try_clicks` tries at a time.
    """

    def __init__(
        self, shape: Shape, network: HeatmapNetwork, *, sigma: float, points: int, batch: int, seed: int = 0
    ) -> None:
        super().__init__(shape)
        self.network, self.sigma = network, sigma
        self._batch = max(1, min(batch, _VALUES // shape.n_elements))
        whole = shape.normalized()
        sample = whole.sampled(points, seed)
        normals = estimate_normals(sample.points) if sample.normals is None else sample.normals
        self._carry = carry_weights(shape, sample)
        cloud, places = (self._tensor(x)[None] for x in (sample.points, whole.element_positions))
        centre, radius = sphere_of(cloud)
        self._points, self._places = (cloud - centre) / radius, ((places - centre) / radius)[0]
        self._normals = self._tensor(normals)[None]

    def try_clicks(
        self, candidates: Int[np.ndarray, " m"], truth: Bool[np.ndarray, " n_elements"]
    ) -> Float[np.ndarray, "2 m"]:
        """See `PartClicks.try_clicks`; memory does not grow with the number of candidates."""
        found = np.zeros((2, len(candidates)))
        heat = self._heat(self.clicks)
        signs = (POSITIVE, NEGATIVE) if any(click.positive for click in self.clicks) else (POSITIVE,)
        for start in range(0, len(candidates), self._batch):
            some = slice(start, start + self._batch)
            spots = heat_around(self._places[candidates[some]], self._points, self.sigma)
            for sign in signs:
                tried = heat.repeat(len(spots), 1, 1)
                tried[..., sign] = torch.maximum(tried[..., sign], spots)
                masks = self._masks(tried) & ~self._taken
                found[sign, some] = (masks & truth).sum(1) / (masks | truth).sum(1)
        return found

    def _select(self, clicks: Sequence[Click]) -> Bool[np.ndarray, " n_elements"]:
        if not any(click.positive for click in clicks):
            return np.zeros(self.shape.n_elements, bool)
        return self._masks(self._heat(clicks)[None])[0]

    def _heat(self, clicks: Sequence[Click]) -> Float[Tensor, "n 2"]:
        heat = torch.zeros(self._points.shape[1], 2, device=self._points.device)
        for click in clicks:
            sign = POSITIVE if click.positive else NEGATIVE
            new = heat_around(self._places[click.element], self._points[0], self.sigma)
            heat[:, sign] = torch.maximum(heat[:, sign], new)
        return heat

    def _masks(self, heat: Float[Tensor, "k n 2"]) -> Bool[np.ndarray, "k n_elements"]:
        probability = self.network.probability(self._points, self._normals, heat).cpu().numpy()
        return (self._carry @ probability.T).T > 0.5

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.tensor(values, dtype=torch.float32, device=next(self.network.parameters()).device)
