"""The `release` network is the authors': module by module, and tree for tree."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch

from partseg.errors import InputError
from partseg_recursive_partnet.config import NetworkConfig, PointNet2Config
from partseg_recursive_partnet.model import RecursivePartNet
from partseg_recursive_partnet.recursion import decompose
from partseg_recursive_partnet.release import branch_misfit, convert_state, read_state

FOLDER = "recursive_partnet_parity"


@pytest.fixture(scope="module")
def reference(test_data):
    out = {}
    for name in ("clouds", "network", "decomposition", "master"):
        with np.load(test_data(FOLDER) / f"{name}.npz") as file:
            out[name] = {key: file[key] for key in file.files}
    return out


@pytest.fixture(scope="module")
def cloud(reference):
    """The cloud of `network.npz`, as a batch of one."""
    where = reference["clouds"]["cloud_id"].tolist().index(int(reference["network"]["cloud_id"]))
    return torch.from_numpy(reference["clouds"]["clouds"][where][None])


def test_weights_are_the_recorded_ones(released_state):
    digest = hashlib.sha256()
    for key in sorted(released_state):
        if not key.endswith("num_batches_tracked"):
            digest.update(key.encode() + released_state[key].numpy().tobytes())
    assert digest.hexdigest() == "0174dcb453c0198a75d1bc7cb03a5f824d16e6d236821d790045c19336bf43d0"


def test_parameters_of_the_release_but_the_heads_it_never_calls():
    assert sum(p.numel() for p in RecursivePartNet().parameters()) == 1_458_786 - 300_690


@torch.no_grad()
def test_point_features(released_models, reference, cloud):
    features = released_models["rule"].point_features(cloud).T.numpy()
    assert np.abs(features - reference["network"]["point_features"]).max() < 1e-3


@torch.no_grad()
def test_node_networks(released_models, reference, cloud):
    """Encodings, types, contexts of children and point labels of four nodes."""
    model, wanted = released_models["rule"], reference["network"]
    rows, features = model.encoder(cloud[0]), model.point_features(cloud)
    subsets = [torch.from_numpy(wanted[f"subset_{n}"].astype(np.int64)) for n in (2048, 700, 60, 21)]
    encodings = torch.stack([rows[subset].amax(0) for subset in subsets])
    assert np.abs(encodings.numpy() - wanted["encodings"]).max() < 1e-4

    node = torch.from_numpy(wanted["node_features"])
    assert np.abs(model.classifier(node).numpy() - wanted["class_logits"]).max() < 1e-4
    left, right = model.decoder(node)
    assert np.abs(left.numpy() - wanted["left"]).max() < 1e-4
    assert np.abs(right.numpy() - wanted["right"]).max() < 1e-4

    point, at = torch.cat(subsets), torch.arange(4).repeat_interleave(torch.tensor([len(s) for s in subsets]))
    used = model.at_labeller(node, features, point, at)
    for name, labeller in (("binary", model.binary), ("kway", model.copies)):
        found = labeller(features, used, point, at).log_softmax(1)
        for k, subset in enumerate(subsets):
            assert np.abs(found[at == k].T.numpy() - wanted[f"{name}_logp_{len(subset)}"]).max() < 1e-3, name


@pytest.mark.parametrize("weights", ["rule", "fitted"])
def test_tree_for_tree(released_models, reference, weights):
    """Nodes in visiting order, their types and splits, and the part of every point."""
    wanted = {k.removeprefix(f"{weights}_"): v for k, v in reference["decomposition"].items() if k.startswith(weights)}
    clouds = torch.from_numpy(reference["clouds"]["clouds"])
    found = decompose(released_models[weights], clouds)
    order = found.preorder()
    np.testing.assert_array_equal(found.type.numpy()[order], wanted["node_type"])
    np.testing.assert_array_equal(found.depth.numpy()[order], wanted["node_depth"])
    np.testing.assert_array_equal(found.side.numpy()[order], wanted["node_side"])
    split_in_two = found.split.numpy()[order] & np.isin(found.type.numpy()[order], (1, 3))
    np.testing.assert_array_equal(split_in_two, wanted["node_split"].astype(bool))
    assert np.abs(found.logits.numpy()[order] - wanted["node_logits"]).max() < 1e-3
    assert np.abs(found.feature.numpy()[order] - wanted["node_feature"]).max() < 1e-3

    instance = found.instances().reshape(len(clouds), -1)
    apart = instance != wanted["instance"]
    allowed = wanted["point_gap"] < 1e-4 if weights == "rule" else np.zeros_like(apart)
    assert not (apart & ~allowed).any()


@torch.no_grad()
def test_branches_exchange_columns(released_state, reference, cloud):
    """Master as meant is the newer branch with the blocks of the first interpolating layers exchanged."""
    model = RecursivePartNet(NetworkConfig(points=PointNet2Config(branch="master"))).eval()
    model.load_state_dict(convert_state(released_state))
    wanted = reference["master"]
    features = model.point_features(cloud).T.numpy()[:, wanted["point_index"]]
    assert np.abs(features - wanted["intended"].reshape(features.shape)).max() < 1e-3
    newer = dict(released_state)
    for stage, width in (("fp1", 128), ("fp2", 256), ("fp3", 128)):
        key = f"pointnet.{stage}.Model.0.weight"
        newer[key] = torch.cat([newer[key][:, width:], newer[key][:, :width]], dim=1)
    other = RecursivePartNet().eval()
    other.load_state_dict(convert_state(newer))
    assert np.abs(other.point_features(cloud).T.numpy()[:, wanted["point_index"]] - features).max() < 1e-3


@torch.no_grad()
def test_master_as_its_code_behaves(released_state, reference, cloud):
    model = RecursivePartNet(NetworkConfig(points=PointNet2Config(branch="master-literal"))).eval()
    model.load_state_dict(convert_state(released_state))
    wanted = reference["master"]
    features = model.point_features(cloud).T.numpy()[:, wanted["point_index"]]
    assert np.abs(features - wanted["literal"].reshape(features.shape)).max() < 1e-3
    assert np.abs(features - wanted["intended"].reshape(features.shape)).max() > 0.1


@pytest.mark.parametrize("branch", ["master", "master-literal", "newer"])
def test_misfit_tells_the_branch(branch):
    """Statistics gathered by one branch's network do not fit the other's inputs."""
    model = RecursivePartNet(NetworkConfig(points=PointNet2Config(branch=branch))).train()
    clouds = [torch.randn(12, 200, 6) * (0.1 + 0.2 * torch.rand(12, 1, 6)) for _ in range(2)]
    for layer in model.modules():
        if isinstance(layer, torch.nn.BatchNorm1d):
            layer.momentum = None  # plain means of what is seen
            layer.reset_running_stats()
    with torch.no_grad():
        for cloud in clouds:
            model.point_features(cloud)
    misfit = branch_misfit(model.state_dict(), clouds)
    assert min(misfit, key=misfit.get) == branch
    assert all(misfit[branch] < 0.5 * other for name, other in misfit.items() if name != branch)


def test_errors_name_the_tensor(released_state, tmp_path):
    short = {key: value for key, value in released_state.items() if "adj_decoder.mlp_left" not in key}
    with pytest.raises(InputError, match=r"lacks the tensor of 'decoder\.left"):
        convert_state(short)
    with pytest.raises(InputError, match=r"'extra\.weight', which the release has not"):
        convert_state(released_state | {"extra.weight": torch.zeros(1)})
    wrong = released_state | {"decoder.node_classifier.mlp2.bias": torch.zeros(3)}
    with pytest.raises(InputError, match=r"'classifier\.2\.bias' has shape \(3,\), not \(4,\)"):
        convert_state(wrong)
    path = tmp_path / "partnet_final.pkl"
    torch.save({"net": released_state}, path)
    with pytest.raises(InputError, match="no bare state dict"):
        read_state(path)
    torch.save(released_state, path)
    assert read_state(path).keys() == released_state.keys()
