"""From similarities to parts: groups around confident points, merged (Wang et al. 2018, Sec. 3.2)."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numba import njit
from torch import Tensor

from partseg_baselines.point_parts import PointParts
from partseg_baselines.sgpn.config import GroupingConfig
from partseg_baselines.sgpn.model import Prediction, squared


def parts_of(
    prediction: Prediction, thresholds: Float[Tensor, "c"], sizes: Float[Tensor, "c"], config: GroupingConfig
) -> PointParts:
    """Parts of the one cloud that a prediction is of.

    Within each predicted class, every confident point (in the order of the cloud) proposes the points of that class
    closer than the class's threshold. A proposal that overlaps an earlier one merges with it: the larger stays. A class
    without confident points is one group. What is large enough becomes a part, scored by the mean confidence of its
    points; points that two groups share belong to the later.

    Args:
        prediction: of the network.
        thresholds: squared distance of each class's groups. sizes: mean share of a shape's points that a part of each
            class has, 0 where unknown.
        config: the rules' numbers.
    """
    classes, similarity, confidence = (
        prediction.classes[0].argmax(dim=1),
        prediction.similarity,
        prediction.confidence[0],
    )
    n = len(classes)
    labels = np.full(n, -1, np.int64)
    kinds: list[int] = []
    for kind in torch.unique(classes).tolist():
        member = torch.nonzero(classes == kind)[:, 0]
        seed = member[confidence[member] > config.confidence]
        near = squared(similarity[:, seed], similarity[:, member])[0] < thresholds[kind]
        groups = merge_groups(near.cpu().numpy(), config.group_points, config.merge_iou, config.merge_share)
        if len(groups) == 0:
            groups = np.ones((1, len(member)), bool)
        least = config.least_share * float(sizes[kind]) * n
        count = groups.sum(axis=1)
        for group in groups[(count > config.least_points) & (count >= least)]:
            labels[member.cpu().numpy()[group]] = len(kinds)
            kinds.append(kind)
    used, labels = np.unique(np.r_[-1, labels], return_inverse=True)  # a later group may hide an earlier one
    labels = labels[1:] - 1
    held = labels >= 0
    total = np.bincount(labels[held], confidence.cpu().double().numpy()[held], len(used) - 1)
    scores = total / np.maximum(np.bincount(labels[held], minlength=len(used) - 1), 1)
    return PointParts(labels, scores, np.array(kinds, np.int64)[used[1:]])


def merge_groups(near: Bool[np.ndarray, "s m"], least: int, iou: float, share: float) -> Bool[np.ndarray, "g m"]:
    """Merge the rows one after the other into groups.

    Rows of at most `least` points are passed over. A row goes to the first group with which its IoU exceeds `iou`, or
    which holds more than the share `share` of it; of the two the larger stays. Otherwise it becomes a group.

    Args:
        near: the points that each seed proposes.
    """
    groups = np.zeros_like(near)
    return groups[: _merge(near, near.sum(axis=1), least, iou, share, groups)]


@njit(cache=True, nogil=True)
def _merge(near, size, least, iou, share, groups):  # pragma: no cover - compiled
    held = np.zeros(len(near), np.int64)
    count = 0
    for s in range(len(near)):
        if size[s] <= least:
            continue
        home = -1
        for g in range(count):
            common = 0
            for m in range(near.shape[1]):
                common += near[s, m] & groups[g, m]
            if common > iou * (size[s] + held[g] - common) or common > share * size[s]:
                home = g
                break
        if home < 0:
            home = count
            count += 1
        if size[s] > held[home]:
            groups[home] = near[s]
            held[home] = size[s]
    return count


class Calibration:
    """What validation learns for grouping: a similarity threshold and the mean size of a part, for each class.

    Args:
        classes: how many. bins: thresholds tried, evenly up to `most`.
    """

    def __init__(self, classes: int, bins: int, most: float) -> None:
        self.bins, self.most = bins, most
        self.pairs = torch.zeros(2, classes, bins + 1, dtype=torch.float64)  # of two parts, of one; by distance
        self.points = torch.zeros(classes, dtype=torch.float64)  # shares of shapes, summed over parts
        self.parts = torch.zeros(classes, dtype=torch.float64)

    def update(
        self, similarity: Float[Tensor, "n d"], labels: Int[Tensor, "n"], classes: Int[Tensor, "n"], rows: int
    ) -> None:
        """Count one shape: pairs of points of one class, and its parts."""
        known = (labels >= 0) & (classes >= 0)
        features, labels, classes = similarity[known], labels[known], classes[known]
        c = len(self.parts)
        for low in range(0, len(labels), rows):
            distance = squared(features[None, low : low + rows], features[None])[0]
            step = (distance * (self.bins / self.most)).clamp(max=self.bins).long()
            part, kind = labels[low : low + rows, None] == labels, classes[low : low + rows, None]
            cell = ((part.long() * c + kind) * (self.bins + 1) + step)[kind == classes]
            self.pairs += torch.bincount(cell, minlength=self.pairs.numel()).view(self.pairs.shape).cpu()
        part, count = torch.unique(torch.stack([classes, labels]), dim=1, return_counts=True)
        kind = part[0].cpu()
        self.parts += torch.bincount(kind, minlength=c)
        self.points += torch.bincount(kind, count.cpu().double() / max(1, len(similarity)), minlength=c)

    def thresholds(self, default: float) -> Float[Tensor, "c"]:
        """For each class the squared distance that keeps most pairs of one part and fewest of two parts: the largest
        difference of the two shares, the smallest such distance. `default` for classes that never had two parts."""
        total = self.pairs.sum(dim=2, keepdim=True)
        below = self.pairs[:, :, : self.bins].cumsum(dim=2) / total.clamp(min=1)
        best = (below[1] - below[0]).argmax(dim=1)
        found = (best + 1).double() * (self.most / self.bins)
        return torch.where((total[0, :, 0] > 0) & (total[1, :, 0] > 0), found, default).float()

    def sizes(self) -> Float[Tensor, "c"]:
        """Mean share of a shape's points that a part of each class has; 0 for classes without parts."""
        return (self.points / self.parts.clamp(min=1)).float()
