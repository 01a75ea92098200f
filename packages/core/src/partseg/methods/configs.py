"""Named configs: YAML files that a method's package ships, named `<method>/<config>` on the command line.

A file may hold `base: <name>`; its other entries then override that config, key by key.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from partseg.errors import InputError, UnknownNameError
from partseg.spec import MethodSpec, resource

_MAX_DEPTH = 8


def load_config(spec: MethodSpec, name: str | Path | None = None) -> dict[str, Any]:
    """A config of a method as plain data, with its bases merged in.

    Args:
        spec: whose named configs are meant.
        name: a named config, or a YAML file; None for the method's default config.

    Raises:
        UnknownNameError: neither a named config nor a file.
        InputError: the file is not a YAML mapping, or configs name each other in a circle.
    """
    name = spec.default_config if name is None else name
    if name is None:
        raise UnknownNameError(f"method {spec.name!r} has no configs")
    return _resolve(spec, name, 0)


def _resolve(spec: MethodSpec, name: str | Path, depth: int) -> dict[str, Any]:
    if depth > _MAX_DEPTH:
        raise InputError(name, "configs name each other as base in a circle")
    if str(name) in spec.configs:
        path = resource(spec.configs[str(name)])
    elif Path(name).is_file():
        path = Path(name)
    else:
        known = ", ".join(sorted(spec.configs)) or "none"
        raise UnknownNameError(f"method {spec.name!r} has no config {str(name)!r}; it has: {known}")
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(path, f"cannot be read as YAML: {error}") from None
    if not isinstance(tree, dict):
        raise InputError(path, "is not a mapping")
    base = tree.pop("base", None)
    return tree if base is None else merge(_resolve(spec, str(base), depth + 1), tree)


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`base` with the entries of `over` put over it, mappings merged key by key; neither is changed."""
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both else value
    return merged
