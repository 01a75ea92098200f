"""`partseg convert recursive-partnet`: the authors' checkpoint of a category as weights of ours."""

from __future__ import annotations

import argparse
from pathlib import Path


def main(argv: list[str]) -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="partseg convert recursive-partnet",
        description="Turn the authors' checkpoint of a category (partnet_final.pkl, a bare state dict) into a folder "
        "that `partseg segment --method recursive-partnet --weights FOLDER` reads. Nothing in the file is run.",
        epilog="The authors' two branches read the same tensors in different order, and the code of one (master) "
        "differs from what it means (master-literal); nobody says which trained the released checkpoints. `auto` "
        "compares what the normalisations of the checkpoint saw in training with what each branch shows them of "
        "procedural shapes, says how badly each fits, and takes the best.",
    )
    parser.add_argument("checkpoint", type=Path, help="partnet_final.pkl")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder to write")
    branches = ("auto", "master", "master-literal", "newer")
    parser.add_argument("--branch", choices=branches, default="auto", help="default: auto")
    options = parser.parse_args(argv)

    from partseg.methods.configs import load_config
    from partseg_recursive_partnet.config import RecursivePartNetConfig
    from partseg_recursive_partnet.release import branch_misfit, convert_state, read_state
    from partseg_recursive_partnet.segmenter import RecursivePartNetSegmenter
    from partseg_recursive_partnet.spec import SPEC

    state = convert_state(read_state(options.checkpoint), options.checkpoint)
    card: dict[str, object] = {"converted_from": options.checkpoint.name}
    branch = options.branch
    if branch == "auto":
        misfit = branch_misfit(state, _clouds())
        branch = min(misfit, key=misfit.__getitem__)
        card["branch_misfit"] = misfit
        other = min(misfit.keys() - {branch}, key=misfit.__getitem__)
        print("misfit of each branch (lower is better): " + ", ".join(f"{k} {v:.3f}" for k, v in misfit.items()))
        if misfit[branch] > 0.8 * misfit[other]:
            print(f"the two hardly differ: compare with --branch {other} on shapes you know")
    config = load_config(SPEC, "release")
    config["network"]["points"] = {"branch": branch}
    method = RecursivePartNetSegmenter(RecursivePartNetConfig.model_validate(config))
    method.model.load_state_dict(state)
    method.save_pretrained(options.output, **card)
    print(f"branch {branch}: wrote {options.output}")
    return 0


def _clouds():
    """Upright procedural shapes as the release reads them, two batches of 16."""
    import torch

    from partseg.data.batch import PartBatch
    from partseg.data.procedural.dataset import ProceduralDataset
    from partseg_recursive_partnet.batches import in_cube

    families = ["airplane", "bicycle", "chair", "helicopter", "sofa", "table"]  # those of the paper
    data = ProceduralDataset("train", 32, 2048, kinds={"assembled": 1.0}, families=families)
    for first in (0, 16):
        batch = PartBatch.collate([data[i] for i in range(first, first + 16)])
        yield torch.cat([in_cube(batch.points.view(16, 2048, 3))[0], batch.normals.view(16, 2048, 3)], dim=2)
