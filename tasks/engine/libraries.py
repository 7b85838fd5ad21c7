"""The versions of the libraries that code reaches, also through other libraries."""

import functools
import hashlib
import importlib.machinery
import importlib.metadata
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from .errors import EditedError


@functools.cache  # reading them takes milliseconds, and many stages reach the same ones
def library_versions(libraries: frozenset[str]) -> dict[str, str]:
    """Return what decides how some libraries behave.

    Args:
        libraries: Top-level names of modules.

    Returns:
        The versions of Python, of the distributions that bring these modules, and of all that
        these require, by name. Of a module without a version, or whose source somebody edits where
        it is, the digest of its files.
    """
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    versions = {"python": python + (" -O" if sys.flags.optimize else "")}
    for library in sorted(libraries):
        names = _distributions_of(library)
        if not names:
            versions[library] = _digest_of(library)
        for name in names:
            _add_with_requirements(name, versions)
        if names and _is_shadowed(library, names):
            versions[f"{library} (another copy)"] = _digest_of(library)
    return dict(sorted(versions.items()))


def require_same_versions(versions: Mapping[str, str]) -> None:
    """See that no library was exchanged while a stage ran, which imports it only when it needs it.

    Raises:
        EditedError: If one has another version now, or is gone.
    """
    _distribution.cache_clear()
    for name, version in versions.items():
        if (found := _distribution(name)) is not None and found[0] != version:
            raise EditedError(f"{name} was {version} when this began, and is {found[0]} now.")


def _add_with_requirements(name: str, versions: dict[str, str]) -> None:
    """Add the version of a distribution, and of everything that it requires here."""
    name = canonicalize_name(name)
    if name in versions or (found := _distribution(name)) is None:
        return
    versions[name], required = found
    for requirement in required:
        _add_with_requirements(requirement, versions)


@functools.cache
def _distribution(name: str) -> tuple[str, tuple[str, ...]] | None:
    """Return the version of a distribution and what it requires here; None if it is not there."""
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return None
    metadata = distribution.metadata  # parsed anew at each access
    requirements = [Requirement(text) for text in metadata.get_all("Requires-Dist") or ()]
    required = tuple(
        one.name for one in requirements if one.marker is None or one.marker.evaluate({"extra": ""})
    )
    return metadata["Version"] + _edits(distribution), required


def _edits(distribution: importlib.metadata.Distribution) -> str:
    """Return a digest of a distribution whose source is edited where it is, else nothing."""
    url = json.loads(distribution.read_text("direct_url.json") or "{}")
    if not url.get("dir_info", {}).get("editable"):
        return ""
    folder = Path(str(url["url"]).removeprefix("file://"))
    return f" {_digest_of_files(folder)}"


def _distributions_of(library: str) -> list[str]:
    """Return the distributions that bring a module, e.g. pillow for PIL."""
    try:
        importlib.metadata.distribution(library)
    except importlib.metadata.PackageNotFoundError:
        module = re.compile(rf"^{re.escape(library)}(?:[/.,]|\s*$)", re.MULTILINE)
        return sorted({name for name, record in _records() if module.search(record)})
    return [library]


def _is_shadowed(library: str, names: list[str]) -> bool:
    """Return whether another copy of a module comes first on the path than the installed one."""
    spec = importlib.machinery.PathFinder.find_spec(library)
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        return False
    homes = [Path(str(importlib.metadata.distribution(name).locate_file(""))) for name in names]
    origin = Path(spec.origin).resolve()
    return not any(origin.is_relative_to(home.resolve()) for home in homes)


@functools.cache
def _records() -> tuple[tuple[str, str], ...]:
    """Return the name of every installed distribution, and what it says of its modules.

    Read as text: `importlib.metadata.packages_distributions` makes an object of each file. A
    distribution may be there twice, on two folders of the path.
    """
    return tuple(
        (
            distribution.metadata["Name"],
            distribution.read_text("top_level.txt")
            or distribution.read_text("RECORD")
            or "\n".join(map(str, distribution.files or ())),
        )
        for distribution in importlib.metadata.distributions()
    )


def _digest_of(library: str) -> str:
    """Return the digest of a module that no distribution brings, or `absent`."""
    spec = importlib.machinery.PathFinder.find_spec(library)
    if spec is None or spec.origin is None:
        return "absent"
    origin = Path(spec.origin)
    return _digest_of_files(origin.parent if spec.submodule_search_locations else origin)


def _digest_of_files(path: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file() and "__pycache__" not in file.parts:
            digest.update(str(file.relative_to(path)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]
