"""PointNet++ as the release's branch master really computes it: its extensions take memory for laid out otherwise.

A checkpoint trained with that branch needs this behaviour. Two facts make it up; both were run from the branch's own
sources on the CPU.

- Sampling, ball query and grouping of the first level take slices of the n × 6 cloud for packed n × 3 arrays: their
  positions are the first 3n numbers of the cloud, row after row, their normals the 3n numbers from the fourth on.
- The last interpolation writes rows 512 numbers apart in place of n = 2048: of its 128 channels 32 are filled (channel
  c at point 512 k + j holds channel 4 c + k of point j), one in part, the others are zero. Its neighbours and its skip
  input are the true ones.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from partseg.nn import PointNet2
from partseg.ops.interpolate import interpolate_rows, inverse_distance_weights, three_nearest

_APART = 512  # what the kernel takes for the length of a row; right where there are so many points


class LiteralPointNet2(PointNet2):
    """Of master, for clouds of any number of points; what it does to batches in training is not repeated: every sample
    is computed alone, as in the release's inference."""

    def forward(
        self, points: Float[Tensor, "b n 3"], features: Float[Tensor, "b n 3"] | None = None
    ) -> tuple[Float[Tensor, "b n d"], Float[Tensor, "b m e"]]:
        """Features of every point, and those of the coarsest level.

        Args:
            points, features: positions and normals.
        """
        if features is None:
            raise ValueError("branch master-literal reads normals")
        b, n, _ = points.shape
        flat = torch.cat([points, features], dim=2).reshape(b, 6 * n)
        flat = torch.cat([flat, flat[:, :3]], dim=1)
        stages = self.encode(flat[:, : 3 * n].reshape(b, n, 3), flat[:, 3 : 3 * n + 3].reshape(b, n, 3))
        known_points, known = coarsest = stages[-1]
        for (target, skip), layer in zip(reversed(stages[1:-1]), self.up, strict=False):
            known = layer(target, skip, known_points, known)
            known_points = target
        last = self.up[-1]
        squared, index = three_nearest(known_points, points)
        weight = inverse_distance_weights(squared, last.epsilon, added=last.added)
        carried = _scrambled(interpolate_rows(known, index, weight.to(known.dtype)))
        return last.layers(torch.cat([carried, points, features], dim=2)), coarsest[1]


def _scrambled(rows: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
    """Rows of channels written `_APART` numbers apart, later ones over earlier ones, and read n apart."""
    b, n, c = rows.shape
    apart = min(_APART, n)
    written = rows.transpose(1, 2)
    # the end of each row is overwritten by the next, the last stands whole
    memory = torch.cat([written[:, :-1, :apart].reshape(b, -1), written[:, -1]], dim=1)
    memory = torch.nn.functional.pad(memory, (0, c * n - memory.shape[1]))
    return memory.view(b, c, n).transpose(1, 2)
