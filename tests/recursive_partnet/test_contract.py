"""Recursive PartNet does what every method does; both of its variants."""

from __future__ import annotations

from partseg.testing import LearnedMethodContract
from partseg_recursive_partnet.spec import SPEC


class TestContract(LearnedMethodContract):
    spec = SPEC
    exact_parts = False
