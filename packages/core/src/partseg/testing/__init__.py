"""For the tests of methods: the contract that every method keeps (needs pytest)."""

from partseg.testing.contract import LearnedMethodContract, LearnerContract, MethodContract, SegmenterContract

__all__ = ["LearnedMethodContract", "LearnerContract", "MethodContract", "SegmenterContract"]
