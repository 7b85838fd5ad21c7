"""Run the main job's pipeline on small data without Prefect; print what it made as JSON.

Usage: python -m tests.system.plain_run DATA STORE
"""

import json
import sys
from pathlib import Path

from autoencoders.settings import ImageSettings, Settings, TrainingSettings
from flows.full import pipeline
from tasks.engine.manifest import Artifact
from tasks.engine.runner import input_refs
from tasks.engine.stage import stage_of
from tasks.engine.store import Store
from tasks.find_files import find_files
from tasks.resolve import resolve_settings

SETTINGS = Settings(
    image=ImageSettings(height=12, width=12), training=TrainingSettings(epochs=1, batch_size=16)
)


class Computer:
    """Computes every step, and keeps its key and what it wrote."""

    def __init__(self, store: Store) -> None:
        """Publish in `store`."""
        self.store = store
        self.keys: dict[str, str] = {}
        self.files: dict[str, str] = {}

    def __call__(self, label, function, /, **inputs) -> Artifact:
        """Compute one step."""
        artifact = stage_of(function).compute(self.store, inputs)
        self.keys[label] = artifact.key
        self.files |= {f"{label}/{name}": ref.sha256 for name, ref in artifact.files.items()}
        return artifact


if __name__ == "__main__":
    computer = Computer(Store(Path(sys.argv[2])))
    pipeline(computer, input_refs(find_files(Path(sys.argv[1]))), resolve_settings(SETTINGS))
    print(json.dumps({"keys": computer.keys, "files": computer.files}))
