"""Export: networks in the forms of other runtimes, each run there and compared with Keras."""

import contextlib
import importlib.util
import io
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoencoders.errors import PipelineError
from autoencoders.metrics.quality import mean_squared_error, psnr
from tasks.formats.keras_files import load_network
from tasks.runtime import import_tensorflow

Images = NDArray[np.float32]
Predict = Callable[[Images], Images]

COMPARED = 256
"""Images on which a network is compared."""
LARGEST_ERROR = 1e-4
"""By how much a pixel may differ from what Keras makes of it."""
REPEATED = 3
"""Times that the images are restored when it is measured how long that takes; the best counts."""
NEEDED = {"onnx": ("onnx", "onnxruntime"), "litert": ("ai_edge_litert",), "saved_model": ()}
"""By format, the packages that it takes."""


@dataclass(frozen=True)
class Examples:
    """Test images, as far as they are known."""

    inputs: Images
    """What the network gets, (n, h, w, c) in [0, 1]."""
    clean: Images | None
    """What it should return; None if that is not known."""


@dataclass(frozen=True)
class Exported:
    """A file that was written, and how it compares."""

    name: str
    """Its place below the folder of the export."""
    runtime: str
    size: int
    """Bytes."""
    error: float
    """Largest difference of a pixel from what Keras makes of it."""
    milliseconds: float
    """Per image, in batches of 256 on this machine."""
    loss: float | None = None
    """Of int8, by how many dB its images are worse than those of float32."""


def load_examples(
    network: Path, images: Path | None, clean: Path | None, threads: int, log: Callable[[str], None]
) -> Examples:
    """Load as many test images as comparing and scaling take.

    Args:
        network: The `.keras` file.
        images: NPY of what the network gets; None draws uniform noise.
        clean: NPY of what it should return, if that is known.
        threads: Threads per operation.
        log: Receives a line if environment variables were ignored.
    """
    most = 2 * COMPARED
    if images is not None:
        inputs = np.array(np.load(images, mmap_mode="r")[:most])
        wanted = None if clean is None else np.array(np.load(clean, mmap_mode="r")[:most])
        return Examples(inputs, wanted)
    import_tensorflow(threads, log)
    shape = load_network(network).input_shape[1:]
    return Examples(np.random.default_rng(0).random((COMPARED, *shape), np.float32), None)


def require_packages(formats: tuple[str, ...]) -> None:
    """Refuse formats that cannot be written here.

    Raises:
        PipelineError: If one is unknown, or its package is not installed.
    """
    unknown = [name for name in formats if name not in NEEDED]
    if unknown or not formats:
        raise PipelineError(
            f"`format` is {','.join(formats) or 'empty'}; expected some of {', '.join(NEEDED)}.",
            "Separate them by commas: --format onnx,litert.",
        )
    for package in (package for name in formats for package in NEEDED[name]):
        if importlib.util.find_spec(package) is None:
            raise PipelineError(
                f"The package {package}, which export needs, is not installed.",
                "Install it: pip install 'autoencoder-pipeline[export]'.",
            )


def export_network(
    network: Path, formats: tuple[str, ...], examples: Examples, output: Path, threads: int,
    about: str, log: Callable[[str], None],
) -> list[Exported]:  # fmt: skip
    """Write a network in some formats, and run each file in its own runtime.

    Args:
        network: The `.keras` file; the others get its name.
        formats: Of `onnx`, `litert` and `saved_model`.
        examples: Test images; of an int8 form, those behind the first 256 decide the scales.
        output: Folder that gets the files.
        threads: Threads per operation.
        about: A sentence that is kept in the files, where they have a place for it.
        log: Receives a line per file.

    Returns:
        Keras itself first, then the fused form that this pipeline runs, then each file.

    Raises:
        PipelineError: If a file does not compute what Keras does.
    """
    import_tensorflow(threads, log)
    from autoencoders.models.fused import predictor

    loaded = load_network(network)
    job = _Job(network.stem, loaded, examples, output, threads)
    found = [
        job.measured(network, "Keras", lambda images: np.asarray(loaded(images))),
        job.measured(network, "this pipeline", predictor(loaded)),
    ]
    if "onnx" in formats:
        found += job.onnx(about)
    if "litert" in formats or "saved_model" in formats:
        found += job.tensorflow(formats)
    job.write_example()
    for one in found:
        loss = "" if one.loss is None else f", {round(one.loss, 2) + 0.0:.2f} dB lost"
        log(
            f"{one.name} ({one.runtime}): {one.size / 1e6:.2f} MB, largest difference "
            f"{one.error:.1e}, {one.milliseconds:.3f} ms per image{loss}"
        )
    return found


class _Job:
    """One network on its way into other forms."""

    def __init__(
        self, name: str, network: Any, examples: Examples, output: Path, threads: int
    ) -> None:
        self.name, self.network, self.output, self.threads = name, network, output, threads
        self.inputs = examples.inputs[:COMPARED]
        self.calibration = examples.inputs[COMPARED:] if len(examples.inputs) > COMPARED else None
        self.clean = None if examples.clean is None else examples.clean[:COMPARED]
        self.expected = np.asarray(network(self.inputs))

    def onnx(self, about: str) -> Iterator[Exported]:
        """Write ONNX, and its int8 form if there are images to scale it by."""
        from tasks.formats.onnx_graph import onnx_network
        from tasks.formats.onnx_int8 import onnx_predictor, write_int8
        from tasks.formats.onnx_layers import WRITERS

        path = self.output / f"{self.name}.onnx"
        path.write_bytes(onnx_network(self.network, WRITERS, about).SerializeToString())
        yield self.measured(path, "ONNX Runtime", onnx_predictor(path, self.threads))
        if self.calibration is not None:
            small = self.output / f"{self.name}.int8.onnx"
            write_int8(path, small, self.calibration)
            yield self.measured(
                small, "ONNX Runtime, int8", onnx_predictor(small, self.threads), exact=False
            )

    def tensorflow(self, formats: tuple[str, ...]) -> Iterator[Exported]:
        """Write SavedModel and LiteRT, and its int8 form if there are images to scale it by."""
        from tasks.formats.litert import (
            litert_predictor,
            save_model,
            saved_model_predictor,
            write_litert,
        )

        with _quietly():
            if "saved_model" in formats:
                folder = self.output / "saved_model" / self.name
                save_model(self.network, folder)
                yield self.measured(folder, "SavedModel", saved_model_predictor(folder))
            if "litert" in formats:
                path = self.output / f"{self.name}.tflite"
                write_litert(self.network, path)
                yield self.measured(path, "LiteRT", litert_predictor(path, self.threads))
            if "litert" in formats and self.calibration is not None:
                small = self.output / f"{self.name}.int8.tflite"
                write_litert(self.network, small, self.calibration)
                yield self.measured(
                    small, "LiteRT, int8", litert_predictor(small, self.threads), exact=False
                )

    def write_example(self) -> None:
        """Write one image and what Keras makes of it, as JSON: flat, rows first, in [0, 1]."""
        example = {
            "shape": list(self.inputs.shape[1:]),
            "image": self.inputs[0].ravel().tolist(),
            "restored": self.expected[0].ravel().tolist(),
        }
        path = self.output / f"{self.name}.example.json"
        path.write_text(json.dumps(example) + "\n", encoding="utf-8")

    def measured(
        self, path: Path, runtime: str, predict: Predict, *, exact: bool = True
    ) -> Exported:
        """Run a file, and compare what it makes of the images with what Keras makes of them.

        Raises:
            PipelineError: If it is to be the same, and is not.
        """
        found = predict(self.inputs)
        error = float(np.abs(found - self.expected).max())
        few = predict(self.inputs[:1])  # any number of images
        if exact and not max(error, float(np.abs(few - self.expected[:1]).max())) <= LARGEST_ERROR:
            raise PipelineError(
                f"{path.name}: in {runtime}, a pixel differs by {error:.2g} from what Keras makes "
                f"of it; at most {LARGEST_ERROR:g} was expected.",
                "Nothing was exported. Use another format or another version of that runtime.",
            )
        best = min(_seconds(predict, self.inputs) for _ in range(REPEATED))
        files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
        size = sum(one.stat().st_size for one in files)
        inside = path.is_relative_to(self.output)
        name = path.relative_to(self.output).as_posix() if inside else path.name
        return Exported(
            name, runtime, size, error, 1000 * best / len(self.inputs),
            None if exact else self._loss(found),
        )  # fmt: skip

    def _loss(self, found: Images) -> float:
        """Return by how many dB images are worse than those of Keras."""
        clean = self.expected if self.clean is None else self.clean
        exact, reduced = (
            float(psnr(float(mean_squared_error(clean, one).mean())))
            for one in (self.expected, found)
        )
        return exact - reduced


def _seconds(predict: Predict, images: Images) -> float:
    started = time.perf_counter()
    predict(images)
    return time.perf_counter() - started


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Let converters say what they do to nobody."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield
