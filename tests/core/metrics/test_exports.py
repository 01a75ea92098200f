"""What is exported is there."""

from __future__ import annotations

import pytest

import partseg.metrics
from partseg.metrics import functional


def test_every_exported_name_is_there():
    for module in (partseg.metrics, functional):
        for name in module.__all__:
            assert getattr(module, name) is not None
        with pytest.raises(AttributeError, match="nothing_of_the_kind"):
            _ = module.nothing_of_the_kind
    assert "partnet_instance_ap" in dir(functional)
