"""The project's own source code: which modules it has, and the exact text of each that runs.

Python may run a module from a compiled file that is older than the source, and a source may be
edited after it was loaded. Modules of tracked packages are therefore always compiled from their
source, and the text that was compiled is kept: a cache key speaks of the code that runs.
"""

import contextlib
import functools
import importlib.machinery
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import CodeType, ModuleType

from .errors import EditedError, UnseenCodeError

_packages: set[str] = set()
_loaded: dict[str, bytes] = {}
_expected: list[Mapping[str, bytes]] = []


def track(*packages: str) -> None:
    """Count these top-level packages (or modules) as the project's own from now on.

    Call it before they are imported: of a module that was loaded earlier, the source is read when
    it is first asked for. Keys cover the code of tracked packages, and other modules by their
    version, so every process of a project must track the same ones.
    """
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    _packages.update(packages)
    source_file.cache_clear()  # what was none of ours may be now


def is_tracked(module: str) -> bool:
    """Return whether a module belongs to a tracked package."""
    return module.partition(".")[0] in _packages


def source_of(module: str) -> bytes | None:
    """Return the source of one of the project's modules: as loaded, else as it is on the disk.

    Returns:
        None if there is no such module.
    """
    if module in _loaded:
        return _loaded[module]
    path = source_file(module)
    if path is None:
        return None
    source = path.read_bytes()
    if module in sys.modules:
        _loaded[module] = source  # loaded before its package was tracked
    return source


@functools.cache
def source_file(module: str) -> Path | None:
    """Return the file of one of the project's modules, or None if there is no such module.

    It is found by its name alone, so that nothing is imported for it.
    """
    if not is_tracked(module):
        return None
    top, *rest = module.split(".")
    if top in sys.modules and (loaded_from := vars(sys.modules[top]).get("__file__")):
        first = Path(loaded_from)
    else:
        spec = importlib.machinery.PathFinder.find_spec(top)
        if spec is None or spec.origin is None:
            return None
        first = Path(spec.origin)
    if not rest:
        return first
    base = first.parent.joinpath(*rest)
    candidates = (base / "__init__.py", base.with_suffix(".py"))
    return next((path for path in candidates if path.is_file()), None)


@contextlib.contextmanager
def expecting(sources: Mapping[str, bytes]) -> Iterator[None]:
    """Refuse, until the block ends, to load a module from other source than `sources` has.

    Raises:
        EditedError: From the import of such a module.
    """
    _expected.append(sources)
    try:
        yield
    finally:
        _expected.remove(sources)


class _Finder(MetaPathFinder):
    """Finds tracked modules where Python would, and has them loaded by `_Loader`."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if not is_tracked(fullname):
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:  # there is none, or it is a folder of modules
            return spec
        if not isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            raise UnseenCodeError(
                f"{spec.origin}: a compiled module, whose code no key can see.",
                "Remove it, so that its source is used, or install it as a library.",
            )
        spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


class _Loader(importlib.machinery.SourceFileLoader):
    """Compiles a module from its source and keeps what was compiled; never reads `.pyc` files."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        source = self.get_data(path)
        if any(expected.get(fullname, source) != source for expected in _expected):
            raise EditedError(f"{path}: the code was edited while it was being loaded.")
        if _loaded.setdefault(fullname, source) != source:
            # Other modules still hold what they have imported from it
            raise EditedError(
                f"{path}: the module was edited and is being reloaded.",
                "Restart the process (in a notebook, the kernel) to use the new code.",
            )
        return self.source_to_code(source, path)
