"""The contract that every method keeps."""

from __future__ import annotations

from pathlib import Path

import partseg_partfield
from partseg.testing import LearnedMethodContract
from partseg_partfield.spec import SPEC


class TestContract(LearnedMethodContract):
    spec = SPEC


def test_the_spec_lists_the_configs_that_ship() -> None:
    files = (Path(partseg_partfield.__file__).parent / "configs").glob("*.yaml")
    assert sorted(SPEC.configs) == sorted(file.stem for file in files)
