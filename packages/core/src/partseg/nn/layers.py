"""Layers shared by all points: linear maps on the last axis, with batch normalisation over all others."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn


class PointNorm(nn.BatchNorm1d):
    """Batch normalisation of the last axis over all others: (..., c), as a 1×1 convolution's channels would have it.

    A batch of a single row has no variance; it is normalised by the running statistics, in training too.
    """

    def forward(self, x: Float[Tensor, "*n c"]) -> Float[Tensor, "*n c"]:
        rows = x.reshape(-1, x.shape[-1])
        if self.training and len(rows) < 2:
            rows = F.batch_norm(rows, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps)
        else:
            rows = super().forward(rows)
        return rows.view(x.shape)


_ROWS = 2048  # of 128 numbers: 1 MB


class SharedMLP(nn.Module):
    """Linear, channel dropout, batch normalisation and ReLU, once for each width; applied to every point alike.

    Args:
        channels: width of the input. widths: of the layers; none makes the identity.
        eps, momentum: of the batch normalisation.
        bias: of the linear maps; without effect before a normalisation, but some published weights hold one.
        norm: False leaves the normalisation out (and then there is always a bias).
        dropout: probability with which a whole channel of a sample is set to zero, between the linear map and the
            normalisation; one for all layers, or one each.
    """

    def __init__(
        self,
        channels: int,
        widths: Sequence[int],
        *,
        eps: float = 1e-5,
        momentum: float = 0.1,
        bias: bool = False,
        norm: bool = True,
        dropout: float | Sequence[float] = 0.0,
    ) -> None:
        super().__init__()
        rates = [dropout] * len(widths) if isinstance(dropout, int | float) else list(dropout)
        if len(rates) != len(widths):
            raise ValueError(f"{len(widths)} layers but {len(rates)} dropout rates")
        self.channels = [channels, *widths][-1]
        self.linear = nn.ModuleList(nn.Linear(a, b, bias=bias or not norm) for a, b in pairwise([channels, *widths]))
        self.norm = nn.ModuleList(PointNorm(width, eps=eps, momentum=momentum) for width in widths if norm)
        self.dropout = rates

    def forward(
        self, x: Float[Tensor, "b *n c"], sample: Int[Tensor, " b"] | None = None
    ) -> Float[Tensor, "b *n d"]:
        """All layers.

        Args:
            x: rows of features. sample: which sample each first-axis entry belongs to, numbered from 0, where several
                are one (points packed end to end): dropout treats these alike. None: each is one.
        """
        if self.norm and not self.training and not torch.is_grad_enabled():
            return self._inference(x)
        for i, linear in enumerate(self.linear):
            x = linear(x)
            if self.dropout[i] and self.training:
                n = len(x) if sample is None else int(sample.max()) + 1 if len(sample) else 0
                keep = F.dropout(x.new_ones(n, *[1] * (x.ndim - 2), x.shape[-1]), self.dropout[i])
                x = x * (keep if sample is None else keep[sample])
            if self.norm:
                x = self.norm[i](x)
            x = F.relu(x)
        return x

    def _inference(self, x: Float[Tensor, "b *n c"]) -> Float[Tensor, "b *n d"]:
        """The same with running statistics and without gradients: normalising is linear too, so a layer is one product;
        and the rows go through all layers some at a time, so that they stay in the cache."""
        layers = [_folded(linear, norm) for linear, norm in zip(self.linear, self.norm, strict=True)]
        rows = x.reshape(-1, x.shape[-1])
        some = rows.split(_ROWS if x.device.type == "cpu" else max(len(rows), 1))
        out = []
        for part in some:
            for weight, bias in layers:
                part = F.relu_(F.linear(part, weight, bias))
            out.append(part)
        return (torch.cat(out) if len(out) > 1 else out[0]).view(*x.shape[:-1], self.channels)


def _folded(linear: nn.Linear, norm: PointNorm) -> tuple[Tensor, Tensor]:
    """Weight and bias of a linear map and the normalisation by running statistics after it."""
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    shift = norm.bias - norm.running_mean * scale
    return linear.weight * scale[:, None], shift if linear.bias is None else shift + linear.bias * scale


def xavier_init(module: nn.Module) -> None:
    """Glorot and Bengio's uniform weights and zero biases for every linear layer below a module, as TensorFlow 1 code
    has them."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def freeze_norms(module: nn.Module) -> None:
    """Put every batch normalisation below a module into evaluation mode (to be repeated after each `train()`)."""
    for layer in module.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.eval()


def masked_max(x: Float[Tensor, "b n c"], mask: Tensor | None = None) -> Float[Tensor, "b c"]:
    """Maximum over the points that `mask` (b, n) bool names (None: all); 0 for a sample without any."""
    if mask is None:
        return x.amax(dim=1)
    least = torch.finfo(x.dtype).min
    top = x.masked_fill(~mask[..., None], least).amax(dim=1)
    return top.masked_fill(~mask.any(dim=1, keepdim=True), 0.0)
