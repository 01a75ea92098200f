"""What `import partseg` promises."""

from __future__ import annotations

import pytest

import partseg


@pytest.mark.parametrize("name", partseg.__all__)
def test_every_name_is_there(name: str) -> None:
    assert getattr(partseg, name) is not None
    assert name in dir(partseg)


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = partseg.nothing
