"""Transformer over the tokens of the three planes, with the ways down to tokens and back up to pixels."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from partseg_partfield.config import ModelConfig


class _Attention(nn.Module):
    """Self-attention without biases; q, k and v stacked in one matrix."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.out_proj = nn.Linear(width, width, bias=False)
        nn.init.xavier_uniform_(self.in_proj_weight)

    def forward(self, x: Float[Tensor, "b t c"]) -> Float[Tensor, "b t c"]:
        b, t, c = x.shape
        q, k, v = F.linear(x, self.in_proj_weight).reshape(b, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind()
        return self.out_proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, t, c))


class _Layer(nn.Module):
    """Pre-norm transformer layer with an exact-GELU MLP."""

    def __init__(self, width: int, heads: int, ratio: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.self_attn = _Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        # Indices 0 and 3 are the released checkpoint's names; there a dropout of zero stands between.
        self.mlp = nn.ModuleDict({"0": nn.Linear(width, ratio * width), "3": nn.Linear(ratio * width, width)})

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.self_attn(self.norm1(x))
        return x + self.mlp["3"](F.gelu(self.mlp["0"](self.norm2(x))))


class Transformer(nn.Module):
    """A stack of layers and a final norm."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_Layer(config.width, config.heads, config.mlp_ratio) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width, eps=1e-6)

    def forward(self, x: Float[Tensor, "b t c"]) -> Float[Tensor, "b t c"]:
        for layer in self.layers:
            x = layer(x)
        return self.norm(x)


class TriplaneTransformer(nn.Module):
    """Planes to tokens, transformer, tokens to planes; plus what the planes carry past it.

    Released trunk: (3x3 convolution, ReLU, max pool) per halving; a transposed convolution back; plus a per-pixel MLP.
    Lean trunk: one patch convolution; pixel shuffle by two and bilinear the rest of the way, which leaves no blocks;
    planes and tokens go through the MLP together.
    """

    def __init__(self, inputs: int, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        width, out = config.width, config.part_channels + config.sdf_channels
        self.pos_embed = nn.Parameter(torch.empty(1, 3 * config.token_resolution**2, width))
        nn.init.normal_(self.pos_embed, std=width**-0.5)
        self.transformer = Transformer(config)
        factor = config.upsampling
        if config.trunk == "released":
            steps: list[nn.Module] = []
            for step in range(factor.bit_length() - 1):
                steps += [nn.Conv2d(width if step else inputs, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
            self.downsampler = nn.Sequential(*steps)
            self.upsampler = nn.ConvTranspose2d(width, out, factor, stride=factor)
            skip_inputs, hidden = inputs, out
        else:
            self.downsampler = PatchConv2d(inputs, width, factor, stride=factor)
            self.context_channels = 2 * inputs
            self.upsampler = nn.Conv2d(width, 4 * self.context_channels, 1)
            skip_inputs, hidden = inputs + self.context_channels, out
        if config.skip_mlp:
            act = nn.ReLU() if config.trunk == "released" else nn.SiLU()
            self.mlp = nn.Sequential(nn.Linear(skip_inputs, hidden), act, nn.Linear(hidden, out))
        else:
            self.mlp = None

    def to_tokens(self, planes: Float[Tensor, "b 3 c h w"]) -> Float[Tensor, "b t d"]:
        """Tokens plane by plane, row by row, with their positions added."""
        b = planes.shape[0]
        x = self.downsampler(planes.flatten(0, 1))
        return x.flatten(2).transpose(1, 2).reshape(b, -1, x.shape[1]) + self.pos_embed

    def forward(self, planes: Float[Tensor, "b 3 c h w"]) -> Float[Tensor, "b 3 d h w"]:
        return self.to_planes(self.transformer(self.to_tokens(planes)), planes)

    def to_planes(self, tokens: Float[Tensor, "b t d"], planes: Tensor) -> Float[Tensor, "b 3 e h w"]:
        """Tokens back to pixels, joined with the planes that bypassed the transformer."""
        b, side = planes.shape[0], self.config.token_resolution
        x = tokens.reshape(b * 3, side, side, -1).permute(0, 3, 1, 2)
        if self.config.trunk == "released":
            x = self.upsampler(x)
            if self.mlp is not None:
                x = x + self._pixels(planes.flatten(0, 1))
        else:
            context = F.pixel_shuffle(self.upsampler(x), 2)
            size = (self.config.plane_resolution, self.config.plane_resolution)
            context = F.interpolate(context, size=size, mode="bilinear", align_corners=False)
            x = self._pixels(torch.cat([planes.flatten(0, 1), context.to(planes.dtype)], dim=1))
        return x.reshape(b, 3, *x.shape[1:])

    def _pixels(self, x: Float[Tensor, "k c h w"]) -> Float[Tensor, "k d h w"]:
        return self.mlp(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class PatchConv2d(nn.Conv2d):
    """`nn.Conv2d` of patches side by side (stride equal to the kernel, no padding); right under autocast on any CPU.

    Some CPUs with matrix units (AMX) compute strided bfloat16 convolutions wrongly (torch 2.13: 16 channels, 4 × 4
    patches, relative error 1.2), but products of matrices rightly. So that is what it is there; elsewhere the
    convolution is quicker.
    """

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d hp wp"]:
        """One vector a patch; height and width are multiples of the stride."""
        if x.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
            return super().forward(x)
        patches = F.pixel_unshuffle(x, self.stride[0])  # channels in the order of a row of the weight
        return F.linear(patches.movedim(1, -1), self.weight.flatten(1), self.bias).movedim(-1, 1)
