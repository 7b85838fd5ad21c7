"""What a finished run of the main job is for whoever called it: its folder, read when asked."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from autoencoders.settings import ResolvedSettings
from flows.catalogue import METHODS, METRICS
from tasks.formats.keras_files import load_network


@dataclass(frozen=True)
class FinishedRun:
    """A finished run. Nothing is read before it is asked for; paths are those of its folder."""

    folder: Path
    """Where everything of the run is, as `artifacts/latest` is of the newest one."""

    @property
    def name(self) -> str:
        """The name of the run in `autoencoders runs`."""
        return self.folder.name

    @cached_property
    def settings(self) -> ResolvedSettings:
        """What was computed, with nothing left to the machine."""
        return ResolvedSettings.model_validate_json((self.folder / "settings.json").read_bytes())

    @cached_property
    def metrics(self) -> dict[str, dict[str, Any]]:
        """By method (noisy, median, denoiser ...) and name (mse, psnr, ssim, mae), the mean over
        the test images; its 95 % interval is called `mse_interval` and so on. A method that does
        not suit the images is not there."""
        found: dict[str, Any] = json.loads((self.folder / "metrics.json").read_bytes())
        return {one.name: found[one.name] for one in METHODS if one.name in found}

    @property
    def report(self) -> Path:
        """The page of the run, one HTML file that can be sent on."""
        return self.folder / "report.html"

    @property
    def figures(self) -> dict[str, Path]:
        """The PNG files, by the name of the figure."""
        return self._files("figures/*.png")

    @property
    def models(self) -> dict[str, Path]:
        """The `.keras` files, by the name of the network."""
        return self._files("models/*.keras")

    @property
    def histories(self) -> dict[str, Path]:
        """The CSV files of the loss per epoch, by the name of the network."""
        return self._files("history/*.csv")

    @property
    def per_image(self) -> Path:
        """The Parquet file of the scores of every test image."""
        return self.folder / "per_image.parquet"

    @property
    def per_class(self) -> Path:
        """The CSV file of the scores by class."""
        return self.folder / "per_class.csv"

    def load(self, network: str) -> Any:
        """Load a network; this imports TensorFlow.

        Args:
            network: Its name in `models`.

        Returns:
            The `keras.Model`, from float32 (n, height, width, channels) in [0, 1] to the same.

        Raises:
            KeyError: If there is no such network.
            PipelineError: If its file is damaged.
        """
        return load_network(self.models[network])

    def _files(self, pattern: str) -> dict[str, Path]:
        return {path.stem: path for path in sorted(self.folder.glob(pattern))}

    def __repr__(self) -> str:
        """Return the folder and the metrics, a line per method."""
        lines = [
            f"  {method:12}"
            + "".join(f" {one.title} {_shown(scores[one.name], one.digits)} " for one in METRICS)
            for method, scores in self.metrics.items()
        ]
        return "\n".join([f"FinishedRun({str(self.folder)!r})", *map(str.rstrip, lines)])

    def summary(self) -> str:
        """Return the results in Markdown, without the figures."""
        text = (self.folder / "summary.md").read_text(encoding="utf-8")
        return text.partition("![")[0]

    _repr_markdown_ = summary
    """What a notebook shows in place of the object."""


def _shown(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
