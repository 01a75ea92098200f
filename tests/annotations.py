"""How the tests check annotations: beartype (with jaxtyping's array shapes), once a function has returned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from inspect import isclass, signature
from types import UnionType
from typing import Any, Self, Union, get_args, get_origin

import numpy as np
from beartype import BeartypeConf, FrozenDict, beartype
from jaxtyping import AbstractArray

_same = FrozenDict(
    {
        int: int | np.integer,
        float: float | int | np.floating | np.integer,
        bool: bool | np.bool_,
        Self: Any,  # of which beartype knows nothing when it sees a method without its class
    }
)
_strict = beartype(conf=BeartypeConf(hint_overrides=_same))


def after_the_call(function: Callable[..., Any]) -> Callable[..., Any]:
    """Type checker for `jaxtyping.install_import_hook`.

    The hook has parameters checked before a call, and parameters and result together after it. Only the second counts
    here: a function that refuses a wrong argument with an error of its own shows that to its tests. Of a dataclass it
    is the fields that are checked, as they are when it is made. A list in an array's place counts as the array that
    NumPy makes of it, whose data type it does not say.
    """
    call = signature(function)
    if call.return_annotation is Any:
        return function
    check = _strict(function)
    arrays = {name: _array(parameter.annotation) for name, parameter in call.parameters.items()}
    arrays = {name: array for name, array in arrays.items() if array is not None}
    makes = function.__name__ == "__init__"
    if not arrays and not makes:
        return check

    def check_arrays(*args: Any, **kwargs: Any) -> Any:
        bound = call.bind(*args, **kwargs)
        given = bound.arguments
        if makes and is_dataclass(args[0]):
            given.update({f.name: getattr(args[0], f.name) for f in fields(args[0]) if f.name in given})
        for name, array in arrays.items():
            if isinstance(given.get(name), list):
                given[name] = np.asarray(given[name], "float64" if "float64" in array.dtypes else array.dtypes[-1])
        return check(*bound.args, **bound.kwargs)

    return check_arrays


def _array(annotation: Any) -> type[AbstractArray] | None:
    """The array type that an annotation is, or the first in its union; None if a list is as good as an array to it."""
    options = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    if any((get_origin(option) or option) in (list, Sequence) for option in options):
        return None
    return next((option for option in options if isclass(option) and issubclass(option, AbstractArray)), None)
