"""Which code of ours a stage can reach, and its digest: what makes the cache see every edit.

A module is read as a syntax tree, so comments, docstrings and formatting do not count. Reaching is
by import, wherever in the module the import stands. What only type checkers import does not count.
Not seen: imports by a computed name. The house has none; a test keeps it so.
"""

import ast
import functools
import hashlib
import importlib.metadata
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("autoencoders", "tasks", "flows")
NOT_SHAPING = frozenset({"prefect", "pydantic", "pydantic_settings", "rich", "httpx"})
"""Libraries that carry, check or show values but decide no byte of an artifact."""
DISTRIBUTIONS = {"PIL": "pillow", "fontTools": "fonttools"}
"""Distributions whose name is not that of the module they bring."""
LONGEST_TEXT = 100
"""Characters up to which a constant is kept as text, so that a change can be shown as old, new."""


def code_parts(module: str) -> dict[str, str]:
    """Return the digest, or for a short constant the text, of every definition `module` reaches."""
    return {
        f"{name}:{definition}": digest
        for name in reached(module)[0]
        for definition, digest in _definitions(name).items()
    }


def library_versions(module: str) -> dict[str, str]:
    """Return the versions of Python and of the libraries that `module` reaches and that shape
    its output."""
    libraries = reached(module)[1] - NOT_SHAPING
    names = sorted(DISTRIBUTIONS.get(library, library) for library in libraries)
    versions = {name: importlib.metadata.version(name) for name in names}
    return {**versions, "python": f"{sys.version_info.major}.{sys.version_info.minor}"}


def reached(module: str) -> tuple[list[str], frozenset[str]]:
    """Return our own modules and the top names of the libraries that `module` reaches by import."""
    ours: set[str] = set()
    libraries: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in ours:
            continue
        ours.add(name)
        waiting.extend(_parents(name))
        for imported in _imports(name):
            if _source(imported) is not None:
                waiting.append(imported)
            elif (top := imported.split(".")[0]) not in PACKAGES:
                libraries.add(top)
    return sorted(ours), frozenset(libraries - sys.stdlib_module_names)


def edited_since_read(modules: list[str]) -> list[str]:
    """Return the modules whose file no longer is the code that their digest is of."""
    return [name for name in modules if ast.dump(_parsed(name)) != ast.dump(_tree(name))]


def _parents(module: str) -> Iterator[str]:
    while "." in module:
        module = module.rpartition(".")[0]
        yield module


def _source(module: str) -> Path | None:
    """Return the file of a module of ours, or None if there is no such module."""
    if module.split(".", maxsplit=1)[0] not in PACKAGES:
        return None
    base = ROOT.joinpath(*module.split("."))
    candidates = (base / "__init__.py", base.with_suffix(".py"))
    return next((path for path in candidates if path.is_file()), None)


@functools.cache
def _tree(module: str) -> ast.Module:
    """Read a module once in a process: an edit while it runs does not change what it runs."""
    return _parsed(module)


def _parsed(module: str) -> ast.Module:
    path = _source(module)
    if path is None:
        raise ModuleNotFoundError(f"{module}: no such module below {ROOT}")
    return _Essence().visit(ast.parse(path.read_bytes()))  # type: ignore[no-any-return]


class _Essence(ast.NodeTransformer):
    """Drops what does not run: docstrings, texts under fields, blocks for type checkers."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if text else node

    def visit_If(self, node: ast.If) -> ast.AST | None:
        if "TYPE_CHECKING" in ast.unparse(node.test):
            return None
        return self.generic_visit(node)


def _imports(module: str) -> Iterator[str]:
    """Yield every module name that `module` may import; `from a import b` yields a and a.b."""
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(module, node)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _absolute(module: str, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    source = _source(module)
    inside = source is not None and source.name == "__init__.py"
    parts = module.split(".")[: None if inside and node.level == 1 else inside - node.level]
    return ".".join([*parts, *([node.module] if node.module else [])])


def _definitions(module: str) -> dict[str, str]:
    """Return what a module's top level defines, by name; the rest is called `<module>`."""
    texts: dict[str, list[str]] = {}
    for node in _tree(module).body:
        for name in _names(node):
            texts.setdefault(name, []).append(ast.unparse(node))
    return {
        name: _shortened(name, "\n".join(sorted(parts) if name == "<imports>" else parts))
        for name, parts in texts.items()
    }


def _names(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [ast.unparse(target) for target in node.targets]
    if isinstance(node, ast.AnnAssign):
        return [ast.unparse(node.target)]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return ["<imports>"]
    return ["<module>"]


def _shortened(name: str, text: str) -> str:
    one_line = "\n" not in text and len(text) <= LONGEST_TEXT
    if one_line and text.startswith((f"{name} = ", f"{name}: ")):
        return text
    return hashlib.sha256(text.encode()).hexdigest()[:16]
