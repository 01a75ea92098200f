"""For the tests of methods: the contract that every method keeps (needs pytest)."""

from partseg.testing.contract import (
    LearnedMethodContract,
    LearnerContract,
    MethodContract,
    RefinerContract,
    SegmenterContract,
)

__all__ = ["LearnedMethodContract", "LearnerContract", "MethodContract", "RefinerContract", "SegmenterContract"]
