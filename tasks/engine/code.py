"""The code of the project that a stage can reach, as what decides bytes in it.

Code is reached by import, wherever in a module the import stands. A module is read as a syntax
tree, so comments, docstrings and formatting do not count, unless code that is reached reads them;
neither does what only type checkers import. The order of statements counts.
"""

import ast
import contextlib
import functools
import hashlib
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .errors import UnseenCodeError
from .sources import is_tracked, source_file, source_of

ATTEMPTS = 10
"""Times that a module is parsed again where CPython is at fault."""
LONGEST_TEXT = 100
"""Characters up to which a constant is kept as text, so that a change can be shown as old, new."""
READS_TEXT = frozenset(
    {"__doc__", "getdoc", "getcomments", "getsource", "getsourcelines", "use_attribute_docstrings",
     "linecache", "co_firstlineno", "tb_lineno", "currentframe"}
)  # fmt: skip
"""Names by which code reads docstrings, comments or line numbers: then the whole text counts."""
UNSEEN = {
    "import_module": "imports modules by a computed name",
    "__import__": "imports modules by a computed name",
    "run_module": "runs modules by a computed name",
    "run_path": "runs files by name",
    "spec_from_file_location": "imports modules from a computed place",
    "exec_module": "imports modules from a computed place",
    "load_module": "imports modules from a computed place",
    "__file__": "reads files beside the code",
    "__path__": "reads files beside the code",
    "__spec__": "reads files beside the code",
    "__loader__": "reads files beside the code",
    "co_filename": "reads files beside the code",
    "getfile": "reads files beside the code",
    "getsourcefile": "reads files beside the code",
}
"""Names by which code reaches what cannot be seen in it, and so is in no key."""
UNSEEN_MODULES = {
    "importlib.resources": "reads files beside the code",
    "runpy": "runs modules by a computed name",
}
"""Modules that are for nothing else."""
UNSEEN_BUILTINS = {
    "exec": "runs code that is made as it runs",
    "eval": "runs code that is made as it runs",
}
"""The same, where they are not methods of something else."""

NAMING = {
    kind: tuple(name for name in kind._fields if name in ("id", "attr", "arg", "name", "asname"))
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST)
}
"""Which fields of a node of the syntax tree are names."""


@dataclass(frozen=True)
class Reach:
    """What some modules reach."""

    sources: dict[str, bytes]
    """The source of every module of the project, by name, sorted."""
    libraries: frozenset[str]
    """The top-level names of all other modules, less the standard library."""


def reach(start: Iterable[str]) -> Reach:
    """Follow the imports of some modules of the project.

    Raises:
        UnseenCodeError: If one of them has no source, as in a notebook.
    """
    sources: dict[str, bytes] = {}
    libraries: set[str] = set()
    waiting = list(start)
    for name in waiting:
        if source_of(name) is None:
            raise UnseenCodeError(f"{name}: this module has no source file.", "Write it into one.")
    while waiting:
        name = waiting.pop()
        source = source_of(name) if name not in sources else None
        if source is None:
            continue
        sources[name] = source
        waiting.extend(_parents(name))
        for imported in _imports(name, source):
            if is_tracked(imported):
                waiting.append(imported)
            else:
                libraries.add(imported.partition(".")[0])
    return Reach(dict(sorted(sources.items())), frozenset(libraries - sys.stdlib_module_names))


def code_parts(reached: Reach) -> dict[str, str]:
    """Return every definition that is reached, by `module:name`: its digest, or its short text.

    Raises:
        UnseenCodeError: If a module reaches code that cannot be seen in it.
    """
    parts: dict[str, str] = {}
    for module, source in reached.sources.items():
        if hidden := _unseen(source):
            name, problem = hidden
            raise UnseenCodeError(f"{source_file(module)}: {problem} (`{name}`).")
        for name, digest in definitions(source).items():
            parts[f"{module}:{name}"] = digest
    if any(_named(source).everywhere & READS_TEXT for source in reached.sources.values()):
        for module, source in reached.sources.items():
            parts[f"{module}:<text>"] = _digest(source)
    return parts


@functools.lru_cache(maxsize=1024)
def definitions(source: bytes) -> dict[str, str]:
    """Return what a module's top level defines, by name; other statements are `<module>`."""
    texts: dict[str, list[str]] = {}
    order: list[str] = []
    for node in _tree(source).body:
        for name in _names(node):
            order.append(name)
            texts.setdefault(name, []).append(ast.unparse(node))
    found = {name: _shortened(name, "\n".join(parts)) for name, parts in texts.items()}
    # A name that is bound twice, or a call between two definitions: what comes first matters
    return {**found, "<order>": _digest("\n".join(order).encode())}


def _parents(module: str) -> Iterator[str]:
    while "." in module:
        module = module.rpartition(".")[0]
        yield module


@functools.lru_cache(maxsize=1024)
def _tree(source: bytes) -> ast.Module:
    tree = _parsed(source)
    # A walk through a module takes milliseconds, and most never name the flag
    typing_flag = b"TYPE_CHECKING" in source and _is_typing_flag(tree)
    return ast.Module(_what_runs(tree.body, typing_flag), [])


@dataclass(frozen=True)
class _Names:
    """What the running part of a module names."""

    everywhere: frozenset[str]
    """Every name, attribute, argument and keyword."""
    variables: frozenset[str]
    """Those that stand by themselves."""
    imports: tuple[ast.Import | ast.ImportFrom, ...]
    attributes: tuple[ast.Attribute, ...]


@functools.lru_cache(maxsize=1024)
def _named(source: bytes) -> _Names:
    """Walk through a module once, for all that is asked of it."""
    everywhere: set[str] = set()
    variables: set[str] = set()
    imports, attributes = [], []
    for node in ast.walk(_tree(source)):
        for field in NAMING.get(type(node), ()):
            if isinstance(name := getattr(node, field), str):
                everywhere.add(name)
        if isinstance(node, ast.Name):
            variables.add(node.id)
        elif isinstance(node, ast.Attribute):
            attributes.append(node)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            imports.append(node)
    return _Names(frozenset(everywhere), frozenset(variables), tuple(imports), tuple(attributes))


def _parsed(source: bytes) -> ast.Module:
    """Parse a module, whatever other threads parse meanwhile.

    Some versions of CPython count the depth of all threads' trees together, and give up with a
    SystemError if two of them meet (its issue 106905).
    """
    for _ in range(ATTEMPTS):
        with contextlib.suppress(SystemError):
            return ast.parse(source)
    return ast.parse(source)


def _is_typing_flag(tree: ast.Module) -> bool:
    """Return whether TYPE_CHECKING in a module is the constant of `typing`, and nothing else."""
    imported = any(
        isinstance(node, ast.ImportFrom) and node.module == "typing" and not node.level
        and any(alias.name == "TYPE_CHECKING" and alias.asname is None for alias in node.names)
        for node in tree.body
    )  # fmt: skip
    bindings = sum(
        (isinstance(node, ast.Name) and node.id == "TYPE_CHECKING"
         and not isinstance(node.ctx, ast.Load))
        or (isinstance(node, ast.alias) and "TYPE_CHECKING" in (node.asname or node.name))
        or (isinstance(node, ast.arg) and node.arg == "TYPE_CHECKING")
        for node in ast.walk(tree)
    )  # fmt: skip
    return imported and bindings == 1


def _what_runs(body: list[ast.stmt], typing_flag: bool) -> list[ast.stmt]:
    """Drop what does not run: docstrings, texts under fields, blocks for type checkers."""
    kept: list[ast.stmt] = []
    for node in body:
        if _is_text(node):
            continue
        # Only statements hold statements, so there is no need to look into expressions
        for part in (node, *getattr(node, "handlers", ()), *getattr(node, "cases", ())):
            for field in ("body", "orelse", "finalbody"):
                if inner := getattr(part, field, None):
                    setattr(part, field, _what_runs(inner, typing_flag))
        if typing_flag and isinstance(node, ast.If) and _is_flag(node.test):
            kept += node.orelse
        else:
            kept.append(node)
    return kept


def _is_text(node: ast.stmt) -> bool:
    value = node.value if isinstance(node, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _is_flag(test: ast.expr) -> bool:
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


@functools.lru_cache(maxsize=1024)
def _unseen(source: bytes) -> tuple[str, str] | None:
    """Return a name by which a module reaches unseen code, and what it does with it."""
    names, modules = _named(source), set(_imports("", source))
    if any(alias.name == "*" for node in names.imports for alias in node.names):
        return "import *", "imports whatever another module lists"
    found = [(name, what) for name, what in UNSEEN.items() if name in names.everywhere]
    found += [(name, what) for name, what in UNSEEN_MODULES.items() if name in modules]
    found += [(name, what) for name, what in UNSEEN_BUILTINS.items() if name in names.variables]
    return found[0] if found else None


@functools.lru_cache(maxsize=1024)
def _imports(module: str, source: bytes) -> tuple[str, ...]:
    """Return every module name that `module` may import; `from a import b` gives a and a.b."""
    found: list[str] = []
    for node in _named(source).imports:
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        else:
            base = _absolute(module, node)
            found += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    for attribute in _named(source).attributes:  # `package.module.name`, which somebody imported
        found += _parents(ast.unparse(attribute)) if _is_dotted(attribute) else []
    return tuple(found)


def _is_dotted(node: ast.expr) -> bool:
    """Return whether an expression is a name of ours with names behind it: `a.b.c`."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and is_tracked(node.id)


def _absolute(module: str, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    file = source_file(module)
    inside = file is not None and file.name == "__init__.py"
    parts = module.split(".")[: None if inside and node.level == 1 else inside - node.level]
    return ".".join([*parts, *([node.module] if node.module else [])])


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
    return _digest(text.encode())


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:16]
