"""Specs of the classical methods: plain data, nothing heavy."""

from __future__ import annotations

from partseg.spec import MethodSpec, Paper

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
