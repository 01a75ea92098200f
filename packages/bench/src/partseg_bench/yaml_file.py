"""YAML files that people write: boards and claims."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from partseg.errors import InputError

_MAX_BYTES = 4 << 20  # pages of text


def read_mapping(path: Path, what: str, holds: str) -> dict[str, Any]:
    """The mapping that a YAML file holds, of plain data only.

    Args:
        path: the file.
        what: what it should be, e.g. "a board".
        holds: what it should have, e.g. "methods, datasets and protocols".

    Raises:
        InputError: no such file, larger than 4 MiB, not YAML, or no mapping.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(path, f"is larger than {what} can be")
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror or error}", f"name the file of {what}") from None
    except (UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise InputError(path, f"cannot be read as YAML: {error}") from None
    if not isinstance(tree, dict):
        raise InputError(path, "is not a mapping", f"{what} has {holds}")
    return tree
