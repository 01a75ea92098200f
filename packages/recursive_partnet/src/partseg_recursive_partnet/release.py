"""The authors' checkpoints: bare state dicts, mapped onto this network's tensors; and which branch one belongs to.

The authors' two branches stack the inputs of the interpolating layers in opposite order, with equal shapes: nothing
fails when the wrong one is taken. The normalisations of a trained network hold the mean and variance that their inputs
had in training, though, and only the right order gives such inputs again.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from partseg.errors import InputError
from partseg.nn import PointNet2
from partseg_recursive_partnet.config import NetworkConfig, PointNet2Config
from partseg_recursive_partnet.model import RecursivePartNet

BRANCHES = ("master", "master-literal", "newer")
UNUSED = ("decoder.sym_adj_decoder.", "decoder.sym_decoder.")  # in the state dict, never called by the release
_STAGE = re.compile(r"pointnet\.(sa|fp)([123])\.Model\.(\d+)\.(\w+)")
_ENCODER = re.compile(r"decoder\.pc_encoder\.(conv|bn)([1-5])\.(\w+)")
_LABELLER = re.compile(r"decoder\.loc_points_predictor(_multi)?\.conv([1-5])\.(\w+)")
_NODE = {
    "decoder.adj_decoder.mlp": "decoder.hidden",
    "decoder.adj_decoder.mlp_left": "decoder.left",
    "decoder.adj_decoder.mlp_right": "decoder.right",
    "decoder.node_classifier.mlp1": "classifier.0",
    "decoder.node_classifier.mlp2": "classifier.2",
}


def read_state(path: str | Path) -> dict[str, Tensor]:
    """The authors' state dict of a file, read without running anything in it.

    Raises:
        InputError: no such file, or not a dictionary of tensors.
    """
    path = Path(path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror or error}") from None
    except pickle.UnpicklingError:
        raise InputError(path, "is a pickle of more than tensors, or is damaged; reading it could run code") from None
    except (RuntimeError, EOFError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError(path, f"is no state dict ({type(error).__name__})", "name partnet_final.pkl") from None
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise InputError(path, "holds no bare state dict", "name partnet_final.pkl")
    return dict(state)


def convert_state(state: Mapping[str, Tensor], source: str | Path = "state dict") -> dict[str, Tensor]:
    """Tensors of `RecursivePartNet` (config `release`) from the authors'.

    Args:
        state: by the authors' names; 1×1 convolutions become linear maps, and the first layer of a labeller is split
            into what it reads of a point (the first 128 columns) and of a node. The heads that the release never calls
            are left out.
        source: for errors.

    Raises:
        InputError: a tensor is missing, unknown or of another shape.
    """
    out: dict[str, Tensor] = {}
    for key, value in state.items():
        if key.startswith(UNUSED):
            continue
        found = _named(key, value)
        if not found:
            raise InputError(source, f"has a tensor {key!r}, which the release has not")
        out |= found
    wanted = RecursivePartNet(NetworkConfig()).state_dict()
    if missing := sorted(wanted.keys() - out.keys()):
        raise InputError(source, f"lacks the tensor of {missing[0]!r} ({len(missing)} are missing)")
    for key, value in wanted.items():
        if out[key].shape != value.shape:
            raise InputError(source, f"{key!r} has shape {tuple(out[key].shape)}, not {tuple(value.shape)}")
    return out


def _named(key: str, value: Tensor) -> dict[str, Tensor]:
    """This network's name of a tensor; two for the first layer of a labeller."""
    flat = value.flatten(1) if value.ndim == 4 else value
    if found := _STAGE.fullmatch(key):
        way, number, place, what = found.groups()
        stage = {"sa": "down", "fp": "up"}[way]
        part = {0: "linear", 1: "norm"}.get(int(place) % 3, "")
        return {f"points.{stage}.{int(number) - 1}.layers.{part}.{int(place) // 3}.{what}": flat}
    if found := _ENCODER.fullmatch(key):
        kind, number, what = found.groups()
        flat = value.reshape(len(value), -1) if kind == "conv" and what == "weight" else flat
        return {f"encoder.{'linear' if kind == 'conv' else 'norm'}.{int(number) - 1}.{what}": flat}
    if found := _LABELLER.fullmatch(key):
        multi, number, what = found.groups()
        head = "copies" if multi else "binary"
        if number == "5":
            return {f"{head}.last.{what}": flat}
        if number != "1":
            return {f"{head}.layers.linear.{int(number) - 2}.{what}": flat}
        if what == "bias":
            return {f"{head}.node.bias": flat}
        return {f"{head}.point.weight": flat[:, :128], f"{head}.node.weight": flat[:, 128:]}
    name, _, what = key.rpartition(".")
    return {f"{_NODE[name]}.{what}": flat} if name in _NODE else {}


def branch_misfit(
    state: Mapping[str, Tensor], clouds: Iterable[Float[Tensor, "b n 6"]]
) -> dict[str, float]:
    """How badly each branch fits a checkpoint: lower is better.

    The Kullback-Leibler divergence between the inputs that the first normalisation of each interpolating layer gets and
    the statistics it holds, both as normal distributions, mean over channels and layers.

    Args:
        state: from `convert_state`. clouds: shapes like those of training; a few are enough.
    """
    out = {}
    batches = list(clouds)
    for branch in BRANCHES:
        model = RecursivePartNet(NetworkConfig(points=PointNet2Config(branch=branch))).eval()
        model.load_state_dict(state)
        assert isinstance(model.points, PointNet2)
        seen: list[list[Tensor]] = [[] for _ in model.points.up]
        norms = [layer.layers.norm[0] for layer in model.points.up]
        hooks = [
            norm.register_forward_pre_hook(lambda _, rows, into=into: into.append(rows[0].detach().flatten(0, -2)))
            for norm, into in zip(norms, seen, strict=True)
        ]
        for cloud in batches:  # with gradients: without, normalisations are folded into the layers before them
            model.point_features(cloud)
        for hook in hooks:
            hook.remove()
        misfit = [_divergence(torch.cat(rows), n.running_mean, n.running_var) for n, rows in zip(norms, seen)]
        out[branch] = float(torch.stack(misfit).mean())
    return out


def _divergence(rows: Float[Tensor, "n c"], mean: Float[Tensor, "c"], variance: Float[Tensor, "c"]) -> Tensor:
    var, expected = rows.var(0).clamp(min=1e-8), variance.clamp(min=1e-8)
    return ((var + (rows.mean(0) - mean) ** 2) / expected - 1 - torch.log(var / expected)).mean() / 2
