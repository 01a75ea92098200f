"""Specs of the baselines: plain data, nothing heavy."""

from __future__ import annotations

from partseg.spec import MethodSpec, Paper, PublishedResult

CONNECTED_COMPONENTS = MethodSpec(
    name="connected-components",
    summary="one part for each connected piece of the surface",
    method="partseg_baselines.components:ConnectedComponents",
    license="MIT",
    capabilities=("segmenter",),
    trainable=False,
)

WARD_POSITION = MethodSpec(
    name="ward-position",
    summary="Ward clustering of face positions under adjacency",
    method="partseg_baselines.ward:WardPosition",
    license="MIT",
    capabilities=("segmenter", "embedder"),
    trainable=False,
)

WARD_POSITION_NORMAL = MethodSpec(
    name="ward-position-normal",
    summary="Ward clustering of face positions and normals under adjacency",
    method="partseg_baselines.ward:WardPositionNormal",
    license="MIT",
    capabilities=("segmenter", "embedder"),
    needs=("normals",),
    trainable=False,
)

SHAPE_DIAMETER = MethodSpec(
    name="shape-diameter",
    summary="clusters of the local thickness of a mesh, split into connected parts",
    method="partseg_baselines.shape_diameter:ShapeDiameter",
    license="MIT",
    paper=Paper(
        title="Consistent mesh partitioning and skeletonisation using the shape diameter function",
        authors=("Lior Shapira", "Ariel Shamir", "Daniel Cohen-Or"),
        venue="The Visual Computer 24",
        year=2008,
        url="https://doi.org/10.1007/s00371-007-0197-5",
    ),
    capabilities=("segmenter", "embedder"),
    needs=("mesh",),
    trainable=False,
)

WARD_SHAPE_DIAMETER = MethodSpec(
    name="ward-shape-diameter",
    summary="Ward clustering of local thickness and position under adjacency",
    method="partseg_baselines.shape_diameter:WardShapeDiameter",
    license="MIT",
    capabilities=("segmenter", "embedder"),
    needs=("mesh",),
    trainable=False,
)

KMEANS_POSITION_NORMAL = MethodSpec(
    name="kmeans-position-normal",
    summary="k-means clusters of face positions and normals",
    method="partseg_baselines.clusters:KMeansPositionNormal",
    license="MIT",
    capabilities=("segmenter", "embedder"),
    needs=("normals",),
    trainable=False,
)

EUCLIDEAN_CLUSTERS = MethodSpec(
    name="euclidean-clusters",
    summary="points closer than a tolerance belong together: gaps in space part a shape",
    method="partseg_baselines.clusters:EuclideanClusters",
    license="MIT",
    paper=Paper(
        title="Semantic 3D Object Maps for Everyday Manipulation in Human Living Environments",
        authors=("Radu Bogdan Rusu",),
        venue="KI - Künstliche Intelligenz 24",
        year=2010,
        url="https://doi.org/10.1007/s13218-010-0059-6",
    ),
    capabilities=("segmenter",),
    trainable=False,
)

# Learned baselines, and those that are clicked, as the authors of iSeg3D (arXiv 2112.12988, Sec. 4) report them: the
# mean over eight categories of the mean IoU per part, on PartNet's test split.
_EIGHT_CATEGORIES = "part mIoU, mean of 8 categories"
_TEN_CLICKS = "part mIoU after 10 clicks, mean of 8 categories"
_REPORTED_BY = "arXiv 2112.12988, comparison on PartNet"

PARTNET_SEGMENTATION = MethodSpec(
    name="partnet-segmentation",
    summary="PartNet's detection by segmentation: part masks for a fixed number of slots, matched to the true parts",
    method="partseg_baselines.partnet_segmentation.module:PartNetSegmentationModule",
    license="MIT",
    paper=Paper(
        title="PartNet: A Large-Scale Benchmark for Fine-Grained and Hierarchical Part-Level 3D Object Understanding",
        authors=(
            "Kaichun Mo", "Shilin Zhu", "Angel X. Chang", "Li Yi", "Subarna Tripathi", "Leonidas J. Guibas", "Hao Su",
        ),
        venue="CVPR",
        year=2019,
        url="https://arxiv.org/abs/1812.02713",
    ),
    capabilities=("segmenter",),
    needs=("instances",),
    configs={
        name: f"partseg_baselines:partnet_segmentation/configs/{name}.yaml" for name in ("paper", "small", "tiny")
    },
    default_config="small",
    training={"paper": {"max_epochs": 251}, "small": {"max_steps": 4000}, "tiny": {"max_steps": 200}},
    published=(
        PublishedResult(dataset="partnet", metric=_EIGHT_CATEGORIES, value=81.1, where=_REPORTED_BY),
    ),
    status={"partnet": "not attempted"},
)  # fmt: skip

SGPN = MethodSpec(
    name="sgpn",
    summary="SGPN: a learned similarity of points, grouped around confident ones, as the PartNet benchmark trains it",
    method="partseg_baselines.sgpn.module:SgpnModule",
    license="MIT",
    paper=Paper(
        title="SGPN: Similarity Group Proposal Network for 3D Point Cloud Instance Segmentation",
        authors=("Weiyue Wang", "Ronald Yu", "Qiangui Huang", "Ulrich Neumann"),
        venue="CVPR",
        year=2018,
        url="https://arxiv.org/abs/1711.08588",
    ),
    capabilities=("segmenter",),
    needs=("instances",),
    configs={
        name: f"partseg_baselines:sgpn/configs/{name}.yaml" for name in ("paper", "paper-semantics", "small", "tiny")
    },
    default_config="small",
    training={
        "paper": {"max_epochs": 151},
        "paper-semantics": {"max_epochs": 151},
        # validation sets the thresholds of the similarity: it must have run when training ends
        "small": {"max_steps": 4000, "val_check_interval": 1000, "check_val_every_n_epoch": None},
        "tiny": {"max_steps": 200, "val_check_interval": 200, "check_val_every_n_epoch": None},
    },
    published=(
        PublishedResult(dataset="partnet", metric=_EIGHT_CATEGORIES, value=76.4, where=_REPORTED_BY),
    ),
    status={"partnet": "not attempted"},
)  # fmt: skip

FPFH_CLICKS = MethodSpec(
    name="fpfh-clicks",
    summary="parts selected by clicks among FPFH descriptors of the local shape (needs Open3D)",
    method="partseg_baselines.fpfh:FpfhClicks",
    license="MIT",
    paper=Paper(
        title="Fast Point Feature Histograms (FPFH) for 3D Registration",
        authors=("Radu Bogdan Rusu", "Nico Blodow", "Michael Beetz"),
        venue="ICRA",
        year=2009,
        url="https://doi.org/10.1109/ROBOT.2009.5152473",
    ),
    capabilities=("embedder",),
    trainable=False,
    published=(PublishedResult(dataset="partnet", metric=_TEN_CLICKS, value=52.1, where=_REPORTED_BY),),
    status={"partnet": "not attempted"},
)

HEATMAP_CLICKS = MethodSpec(
    name="heatmap-clicks",
    summary="parts selected by clicks: a network reads them as heat maps beside the shape and says what they mean",
    method="partseg_baselines.heatmap_clicks.module:HeatmapClicksModule",
    license="MIT",
    paper=Paper(
        title="iSeg3D: An Interactive 3D Shape Segmentation Tool",
        authors=("Sucheng Qian", "Liu Liu", "Wenqiang Xu", "Cewu Lu"),
        venue="arXiv 2112.12988",
        year=2021,
        url="https://arxiv.org/abs/2112.12988",
    ),
    capabilities=("interactive",),
    needs=("instances",),
    configs={name: f"partseg_baselines:heatmap_clicks/configs/{name}.yaml" for name in ("paper", "small", "tiny")},
    default_config="small",
    training={"paper": {"max_epochs": 1000}, "small": {"max_steps": 4000}, "tiny": {"max_steps": 200}},
    published=(
        PublishedResult(dataset="partnet", metric=_TEN_CLICKS, value=61.4, where=_REPORTED_BY),
        PublishedResult(dataset="partnet", metric="clicks to IoU 0.80", value=11.7, where=_REPORTED_BY, unit="clicks"),
        PublishedResult(dataset="partnet", metric="clicks to IoU 0.85", value=12.7, where=_REPORTED_BY, unit="clicks"),
    ),
    status={"partnet": "not attempted"},
)

NO_REFINEMENT = MethodSpec(
    name="no-refinement",
    summary="leaves a coarse cloud as it is: what refinement has to beat",
    method="partseg_baselines.no_refinement:NoRefinement",
    license="MIT",
    capabilities=("refiner",),
    trainable=False,
)
