"""Networks as `.keras` files: the same bytes for the same network, and nothing in them runs."""

import json
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoencoders.errors import PipelineError

if TYPE_CHECKING:
    import keras

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time a ZIP archive can state."""


def save_network(network: "keras.Model", path: Path) -> None:
    """Save a network in Keras's format, less the times and memory addresses that it writes."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        dated = Path(folder) / path.name
        network.save(dated)
        with zipfile.ZipFile(dated) as source, zipfile.ZipFile(path, "w") as target:
            for name in sorted(source.namelist()):
                content = source.read(name)
                if name == "metadata.json":
                    metadata = {**json.loads(content), "date_saved": ""}
                    content = json.dumps(metadata, sort_keys=True).encode()
                if name == "config.json":
                    content = json.dumps(_renumbered(json.loads(content), {})).encode()
                target.writestr(zipfile.ZipInfo(name, EPOCH), content)


def _renumbered(value: Any, numbers: dict[int, int]) -> Any:
    """Return a configuration with its shared objects counted 1, 2, … in order of appearance.

    Keras calls them by their address in memory.
    """
    if isinstance(value, list):
        return [_renumbered(item, numbers) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: numbers.setdefault(item, len(numbers) + 1)
        if key == "shared_object_id" and item is not None
        else _renumbered(item, numbers)
        for key, item in value.items()
    }


def load_network(path: Path) -> "keras.Model":
    """Load a network in safe mode: a file that asks for code of its own is refused.

    Raises:
        PipelineError: If it is not such a file.
    """
    import keras

    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (ValueError, TypeError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise PipelineError(f"{path}: not a network that Keras can load safely: {error}") from error
