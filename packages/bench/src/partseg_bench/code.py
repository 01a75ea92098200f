"""Which source a number follows from: a module and all that it imports, found without importing anything."""

from __future__ import annotations

import ast
import importlib.util
from functools import lru_cache
from pathlib import Path

from partseg_bench.sources import digest, file_digest

_LISTS = ("spec", "specs", "registry")


def code_digest(*modules: str, among: tuple[str, ...] = ("partseg",)) -> str:
    """Digest of the source of modules and of everything they import, directly or not, from some packages.

    Imports inside functions count, those for type checkers do not. A name that a package takes from a module when it is
    asked for (a dictionary of strings in its `__init__.py`) is followed there. What is imported by a computed name is
    not seen, and modules called `spec`, `specs` or `registry` are not followed: they say what there is and compute
    nothing. So a further method in a package, or a change of the command line, leaves the digests of others alone.

    Args:
        modules: names; their own top-level packages are followed as well as `among`.
    """
    tops = frozenset([*among, *(module.partition(".")[0] for module in modules)])
    found: dict[str, str] = {}
    left = list(modules)
    while left:
        module = left.pop()
        skip = module in found or module.rpartition(".")[2] in _LISTS
        path = None if skip else module_path(module)
        if path is not None:
            found[module] = file_digest(path)
            left += [one for one in _imports(path, found[module], module) if one.partition(".")[0] in tops]
    return digest(found)


@lru_cache(maxsize=4096)
def module_path(module: str) -> Path | None:
    """The file of a module; None for one that is not Python source, and for none."""
    top, *below = module.split(".")
    root = _top(top)
    if root is None or (below and root.name != "__init__.py"):
        return None
    path = root.parent.joinpath(*below)
    for candidate in (path / "__init__.py", path.with_name(f"{path.name}.py") if below else root):
        if candidate.is_file():
            return candidate
    return None


@lru_cache(maxsize=256)
def _top(name: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(name)  # of a package without dots: not imported
    except (ImportError, ValueError):
        return None
    return Path(spec.origin) if spec is not None and spec.origin and spec.origin.endswith(".py") else None


@lru_cache(maxsize=4096)
def _imports(path: Path, content: str, module: str) -> tuple[str, ...]:
    """The modules that a file (of such content) imports; some names may turn out to be none."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):  # the stage that imports it will say so
        return ()
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    out: dict[str, None] = {}
    for node in _executed(tree):
        if isinstance(node, ast.Import):
            out |= dict.fromkeys(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            for alias in node.names:
                out |= dict.fromkeys(_from(base, alias.name))
    return tuple(out)


def _from(base: str, name: str) -> tuple[str, ...]:
    """The modules behind `from base import name`."""
    if module_path(f"{base}.{name}") is not None:
        return (f"{base}.{name}",)
    path = module_path(base)
    if path is None or path.name != "__init__.py":
        return (base,)
    named, is_lazy = _lazy(path)
    for candidate in (f"{base}.{named.get(name)}", named.get(name, "")):
        if candidate and module_path(candidate) is not None:
            return (candidate,)
    return (base, *(f"{base}.{file.stem}" for file in path.parent.glob("*.py") if is_lazy and file != path))


@lru_cache(maxsize=256)
def _lazy(path: Path) -> tuple[dict[str, str], bool]:
    """What the dictionaries of strings in a file say, and whether it finds names when they are asked for."""
    names: dict[str, str] = {}
    is_lazy = False
    for node in ast.walk(ast.parse(path.read_bytes())):
        is_lazy |= isinstance(node, ast.FunctionDef) and node.name == "__getattr__"
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values):
                if _is_text(key) and _is_text(value):
                    names[key.value] = value.value.partition(":")[0]
    return names, is_lazy


def _executed(tree: ast.AST) -> list[ast.AST]:
    """All nodes except those under `if TYPE_CHECKING:`."""
    out, left = [], [tree]
    while left:
        node = left.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            left += node.orelse
            continue
        out.append(node)
        if not isinstance(node, ast.expr):  # imports are statements
            left += ast.iter_child_nodes(node)
    return out


def _is_text(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
