"""Which step of a pipeline reads what, seen as its steps are written, run or only planned."""

from collections.abc import Mapping
from typing import Any

from .handles import ArtifactRef
from .key import references
from .manifest import Artifact
from .runner import Steps


class Tracing:
    """Passes steps on, and notes what each reads."""

    def __init__(self, step: Steps, data: Mapping[str, ArtifactRef]) -> None:
        """Pass steps on to `step`; the user's files are called by their names."""
        self._step = step
        self._made_by = {ref.sha256: ref.path.name for ref in data.values()}
        self.reads: dict[str, list[str]] = {}
        """By step, in order, the steps and the user's files that it reads."""
        self.files = sorted(set(self._made_by.values()))
        """The names of the user's files."""

    def __call__(self, label: str, function: Any, /, *args: Any, **kwargs: Any) -> Artifact:
        """Do one step."""
        sources = [self._made_by.get(ref.sha256, "") for _, ref in references(kwargs)]
        self.reads[label] = [name for name in dict.fromkeys(sources) if name]
        artifact = self._step(label, function, *args, **kwargs)
        for ref in artifact.files.values():
            self._made_by.setdefault(ref.sha256, label)
        return artifact
