"""What decides the bytes of a stage: its settings, inputs, reachable code and libraries.

Code is reached by import, wherever in a module the import stands. A module is read as a syntax
tree, so comments, docstrings and formatting do not count; neither does what only type checkers
import. The order of definitions counts, since a later one may replace an earlier one. Not seen:
imports by a computed name, which a project must not use in its stages.
"""

import ast
import functools
import hashlib
import importlib.metadata
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from .handles import ArtifactRef, FunctionRef
from .manifest import FORMAT, KeyParts
from .sources import is_tracked, source_file, source_of

LONGEST_TEXT = 100
"""Characters up to which a constant is kept as text, so that a change can be shown as old, new."""


def key_parts(name: str, module: str, inputs: Mapping[str, Any]) -> KeyParts:
    """Return everything that decides what a stage writes.

    Args:
        name: The stage.
        module: Where it is defined.
        inputs: Its arguments by name. A function counts by its name and the code it reaches.

    Raises:
        TypeError: If an input is of a kind that no key can speak of.
        ValueError: If a function is referred to that the project does not define.
    """
    modules, libraries = _reached({module, *_function_modules(inputs)})
    return KeyParts(
        engine=FORMAT,
        stage=name,
        settings={key: _setting(value, key) for key, value in inputs.items() if not _files(value)},
        inputs={key: ref.sha256 for key, ref in references(inputs)},
        code={
            f"{one}:{definition}": digest
            for one in modules
            for definition, digest in _definitions(one, source_of(one) or b"").items()
        },
        libraries=_versions(libraries),
    )


def reached_sources(module: str, inputs: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the source of every module of the project that a stage can reach, by name."""
    modules, _ = _reached({module, *_function_modules(inputs)})
    return {name: source_of(name) or b"" for name in modules}


def references(inputs: Mapping[str, Any]) -> Iterator[tuple[str, ArtifactRef]]:
    """Yield every file among a stage's inputs with its name, `a.b` for the b in a mapping a."""
    for name, value in inputs.items():
        if isinstance(value, ArtifactRef):
            yield name, value
        elif isinstance(value, Mapping):
            yield from ((f"{name}.{inner}", ref) for inner, ref in references(value))


def _files(value: Any) -> bool:
    """Return whether an input is a file or a mapping of files."""
    if isinstance(value, Mapping):
        return bool(value) and all(map(_files, value.values()))
    return isinstance(value, ArtifactRef)


def _setting(value: Any, name: str) -> Any:
    """Return an input that is no file as JSON, a function by its name."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {key: _setting(one, f"{name}.{key}") for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_setting(one, f"{name}[{index}]") for index, one in enumerate(value)]
    if isinstance(value, FunctionRef):
        return value.name
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise TypeError(
        f"`{name}` must be a file or function reference, a settings model, a JSON value or a "
        f"mapping of these. Received: {type(value)}"
    )


def _function_modules(value: Any) -> Iterator[str]:
    """Yield the modules of all functions that an input refers to."""
    if isinstance(value, Mapping):
        for one in value.values():
            yield from _function_modules(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _function_modules(one)
    elif isinstance(value, FunctionRef):
        module, _, function = value.name.partition(":")
        source = source_of(module)
        if source is None or function not in _definitions(module, source):
            raise ValueError(f"{value.name}: the project has no such function.")
        yield module


@functools.cache  # reading them takes milliseconds, and many stages reach the same ones
def _versions(libraries: frozenset[str]) -> dict[str, str]:
    """Return the versions of Python and of the distributions that bring these libraries."""
    versions = {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    for library in sorted(libraries):
        try:
            versions[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            for name in _distributions().get(library, ()):
                versions[name] = importlib.metadata.version(name)
    return versions


@functools.cache
def _distributions() -> Mapping[str, list[str]]:
    """Return which distributions bring a module, e.g. pillow for PIL; slow, so read once."""
    return importlib.metadata.packages_distributions()


def _reached(start: set[str]) -> tuple[list[str], frozenset[str]]:
    """Return our modules and the top names of the libraries that some modules reach by import."""
    ours: set[str] = set()
    libraries: set[str] = set()
    waiting = list(start)
    while waiting:
        name = waiting.pop()
        source = source_of(name)
        if name in ours or source is None:
            continue
        ours.add(name)
        waiting.extend(_parents(name))
        for imported in _imports(name, source):
            if is_tracked(imported):
                waiting.append(imported)
            else:
                libraries.add(imported.split(".")[0])
    return sorted(ours), frozenset(libraries - sys.stdlib_module_names)


def _parents(module: str) -> Iterator[str]:
    while "." in module:
        module = module.rpartition(".")[0]
        yield module


@functools.lru_cache(maxsize=1024)
def _tree(source: bytes) -> ast.Module:
    return _Essence().visit(ast.parse(source))  # type: ignore[no-any-return]


class _Essence(ast.NodeTransformer):
    """Drops what does not run: docstrings, texts under fields, blocks for type checkers."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if text else node

    def visit_If(self, node: ast.If) -> Any:
        self.generic_visit(node)
        if ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            return node.orelse  # what runs instead
        return node


@functools.lru_cache(maxsize=1024)
def _imports(module: str, source: bytes) -> tuple[str, ...]:
    """Return every module name that `module` may import; `from a import b` gives a and a.b."""
    found: list[str] = []
    for node in ast.walk(_tree(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(module, node)
            found += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return tuple(found)


def _absolute(module: str, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    file = source_file(module)
    inside = file is not None and file.name == "__init__.py"
    parts = module.split(".")[: None if inside and node.level == 1 else inside - node.level]
    return ".".join([*parts, *([node.module] if node.module else [])])


@functools.lru_cache(maxsize=1024)
def _definitions(module: str, source: bytes) -> dict[str, str]:
    """Return what a module's top level defines, by name; the rest is called `<module>`."""
    texts: dict[str, list[str]] = {}
    for node in _tree(source).body:
        for name in _names(node):
            texts.setdefault(name, []).append(ast.unparse(node))
    return {name: _shortened(name, "\n".join(parts)) for name, parts in texts.items()}


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
