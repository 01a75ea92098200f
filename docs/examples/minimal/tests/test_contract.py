"""The contract that every method keeps, in three lines."""

from partseg.testing import SegmenterContract
from partseg_minimal.spec import SPEC


class TestContract(SegmenterContract):
    spec = SPEC
