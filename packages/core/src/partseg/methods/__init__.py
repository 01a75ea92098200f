"""Methods: their specs and registry (light), what they can do, and the base class of those that learn."""

from partseg.methods.registry import (
    IncompatibleError,
    check_pair,
    find_method,
    list_datasets,
    list_methods,
    list_protocols,
    load_method,
)
from partseg.spec import CommandSpec, DatasetSpec, MethodSpec, Paper, ProtocolSpec, PublishedResult

__all__ = [
    "CommandSpec",
    "DatasetSpec",
    "IncompatibleError",
    "MethodSpec",
    "Paper",
    "ProtocolSpec",
    "PublishedResult",
    "check_pair",
    "find_method",
    "list_datasets",
    "list_methods",
    "list_protocols",
    "load_method",
]
