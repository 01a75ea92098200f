"""The refiner does what every method does that learns, and what every one does that refines."""

from __future__ import annotations

from partseg.testing import LearnerContract, RefinerContract
from partseg_recursive_partnet.refinement.spec import SPEC


class TestContract(LearnerContract, RefinerContract):
    spec = SPEC
