"""Specs of the evaluation protocols: plain data, nothing heavy. Each summary says what a method may see.

A number belongs to one protocol and one version of it. Protocols that let a method see different things are different
protocols, also where the arithmetic is the same: their numbers share no column.
"""

from __future__ import annotations

from partseg.spec import Capability, Feature, ProtocolSpec

_PROTOCOLS = "partseg_bench.protocols"
_MIOU = ("miou", "miou-one-to-one")


def _spec(
    name: str,
    summary: str,
    target: str,
    metrics: tuple[str, ...],
    needs: tuple[Feature, ...],
    capability: Capability = "segmenter",
) -> ProtocolSpec:
    return ProtocolSpec(
        name=name, version="1", summary=summary, protocol=f"{_PROTOCOLS}.{target}", capability=capability,
        metrics=metrics, needs=needs,
    )  # fmt: skip


_MESH: tuple[Feature, ...] = ("instances", "mesh")
_ANY: tuple[Feature, ...] = ("instances",)
_CLASSES: tuple[Feature, ...] = ("instances", "semantics")
_GEOMETRY = "sees points of the surface with normals, no mesh topology"

CLASS_AGNOSTIC_AUTO = _spec(
    "class-agnostic-auto",
    "the one cut that the method chooses itself; sees the mesh with its connectivity, no hint of the truth",
    "class_agnostic:Auto", _MIOU, _MESH,
)  # fmt: skip
CLASS_AGNOSTIC_AUTO_GEOMETRY = _spec(
    "class-agnostic-auto-geometry",
    f"the one cut that the method chooses itself; {_GEOMETRY}, no hint of the truth",
    "class_agnostic:AutoGeometry", _MIOU, _ANY,
)  # fmt: skip
CLASS_AGNOSTIC_ORACLE = _spec(
    "class-agnostic-oracle",
    "the best of the cuts into 1..20 parts, number of parts told by the truth; sees the mesh with its connectivity",
    "class_agnostic:Oracle", _MIOU, _MESH,
)  # fmt: skip
CLASS_AGNOSTIC_ORACLE_GEOMETRY = _spec(
    "class-agnostic-oracle-geometry",
    f"the best of the cuts into 1..20 parts, number of parts told by the truth; {_GEOMETRY}",
    "class_agnostic:OracleGeometry", _MIOU, _ANY,
)  # fmt: skip
CLASS_AGNOSTIC_TREE_CUT = _spec(
    "class-agnostic-tree-cut",
    "the best of all cuts of one tree by height, the height told by the truth; sees the mesh with its connectivity",
    "class_agnostic:BestTreeCut", _MIOU, _MESH,
)  # fmt: skip
CLASS_AGNOSTIC_TREE_CUT_GEOMETRY = _spec(
    "class-agnostic-tree-cut-geometry",
    f"the best of all cuts of one tree by height, the height told by the truth; {_GEOMETRY}",
    "class_agnostic:BestTreeCutGeometry", _MIOU, _ANY,
)  # fmt: skip

_PROMPT = ("miou", "miou-one-to-one", "miou-own")

CLASS_AGNOSTIC_PROMPT_1 = _spec(
    "class-agnostic-prompt-1",
    "the masks after one prompt inside each true part, so where parts are is told by the truth; sees the mesh",
    "clicks:Prompt1", _PROMPT, _MESH, "interactive",
)  # fmt: skip
CLASS_AGNOSTIC_PROMPT_1_GEOMETRY = _spec(
    "class-agnostic-prompt-1-geometry",
    f"the masks after one prompt inside each true part, so where parts are is told by the truth; {_GEOMETRY}",
    "clicks:Prompt1Geometry", _PROMPT, _ANY, "interactive",
)  # fmt: skip
CLASS_AGNOSTIC_PROMPT_N = _spec(
    "class-agnostic-prompt-n",
    "the masks after five prompts inside each true part, so where parts are is told by the truth; sees the mesh",
    "clicks:PromptN", _PROMPT, _MESH, "interactive",
)  # fmt: skip
CLASS_AGNOSTIC_PROMPT_N_GEOMETRY = _spec(
    "class-agnostic-prompt-n-geometry",
    f"the masks after five prompts inside each true part, so where parts are is told by the truth; {_GEOMETRY}",
    "clicks:PromptNGeometry", _PROMPT, _ANY, "interactive",
)  # fmt: skip
CLICKS = _spec(
    "clicks",
    "parts selected by up to 15 clicks of a simulated annotator who knows the truth; sees the shape as the data has it",
    "clicks:Clicks",
    ("iou@10", "iou@1", "iou@5", "noc@80", "failed@80", "noc@85", "failed@85", "noc@90", "failed@90", "auc"),
    _ANY, "interactive",
)  # fmt: skip
PARTNET_INSTANCE = _spec(
    "partnet-instance",
    "average precision of named part instances by PartNet's rule, one level; sees the shape as the dataset has it",
    "instances:PartNetInstances", ("AP50", "AP25", "AP75", "AP50:95", "sAP50"), _CLASSES,
)  # fmt: skip
FUSION_INSTANCE = _spec(
    "fusion-instance",
    "average precision of named parts by instance fusion's rule, one level; sees the shape as the dataset has it",
    "instances:FusionInstances", ("AP50", "AP25", "AP75", "AP50:95", "sAP50"), _CLASSES,
)  # fmt: skip
RECURSIVE_INSTANCE = _spec(
    "recursive-instance",
    f"average precision of parts by recursive PartNet's rule, classes told by the truth, one level; {_GEOMETRY}",
    "recursive:RecursiveInstances", ("AP50", "AP25", "AP50-one-class", "AP25-one-class"), _CLASSES,
)  # fmt: skip
SCANNET_INSTANCE = _spec(
    "scannet-instance",
    "average precision of objects in scans by the ScanNet benchmark's rule; sees the scan as the dataset has it",
    "instances:ScanNetInstances", ("AP", "AP50", "AP25"), _CLASSES,
)  # fmt: skip
S3DIS_INSTANCE = _spec(
    "s3dis-instance",
    "coverage, precision and recall of objects in rooms as ASIS scores S3DIS; sees the room as the dataset has it",
    "s3dis:S3disInstances", ("mCov", "mWCov", "mPrec", "mRec", "accuracy", "mAcc", "mIoU"), _CLASSES,
)  # fmt: skip
SEMANTIC = _spec(
    "semantic",
    "mean IoU of part classes by PartNet's rule, part-wise and shape-wise; sees the shape as the dataset has it",
    "semantic:SemanticParts", ("part-miou", "shape-miou"), ("semantics",),
)  # fmt: skip
SHAPENET_PART = _spec(
    "shapenet-part",
    "mean IoU of a category's part classes by ShapeNetPart's rule; sees the shape as the dataset has it",
    "semantic:ShapeNetParts", ("instance-miou", "category-miou", "part-miou"), ("semantics",),
)  # fmt: skip
PSB = _spec(
    "psb",
    "the method's own cut against several people's by the Princeton benchmark's errors; sees the mesh",
    "psb:PrincetonBenchmark", ("rand-index", "hamming", "cut-discrepancy", "gce", "lce"), _MESH,
)  # fmt: skip
HIERARCHY = _spec(
    "hierarchy",
    "the method's part hierarchy against the true one, node by node; sees the shape as the dataset has it",
    "hierarchy:Hierarchies", ("node-f-score", "tree-edit", "depth-miou", "node-precision", "node-recall"),
    ("hierarchy",),
)  # fmt: skip
REFINEMENT = _spec(
    "refinement",
    "share of the Chamfer distance that refining a coarse cloud removes, parts of the finest level told by the truth; "
    "sees few, blurred and noisy points of the surface",
    "refinement:Refinement", ("reduction", "chamfer", "chamfer-before"), _ANY, "refiner",
)  # fmt: skip

PROTOCOLS: tuple[ProtocolSpec, ...] = (
    CLASS_AGNOSTIC_AUTO,
    CLASS_AGNOSTIC_AUTO_GEOMETRY,
    CLASS_AGNOSTIC_ORACLE,
    CLASS_AGNOSTIC_ORACLE_GEOMETRY,
    CLASS_AGNOSTIC_TREE_CUT,
    CLASS_AGNOSTIC_TREE_CUT_GEOMETRY,
    CLASS_AGNOSTIC_PROMPT_1,
    CLASS_AGNOSTIC_PROMPT_1_GEOMETRY,
    CLASS_AGNOSTIC_PROMPT_N,
    CLASS_AGNOSTIC_PROMPT_N_GEOMETRY,
    CLICKS,
    PARTNET_INSTANCE,
    FUSION_INSTANCE,
    RECURSIVE_INSTANCE,
    SCANNET_INSTANCE,
    S3DIS_INSTANCE,
    SEMANTIC,
    SHAPENET_PART,
    PSB,
    HIERARCHY,
    REFINEMENT,
)
