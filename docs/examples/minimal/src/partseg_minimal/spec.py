"""What the method is: plain data, so that listing it imports nothing heavy."""

from partseg.spec import MethodSpec

SPEC = MethodSpec(
    name="slabs",
    summary="equal slabs along the longest side (an example to copy)",
    method="partseg_minimal.slabs:Slabs",
    license="MIT",
    capabilities=("segmenter",),
    trainable=False,
)
