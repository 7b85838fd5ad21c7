"""Networks in ONNX that run: in float32, and reduced to bytes."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from tasks.formats.onnx_graph import INPUT

Images = NDArray[np.float32]
BATCH = 64


def onnx_predictor(path: Path, threads: int) -> Callable[[Images], Images]:
    """Return a function that restores images, float32 (n, h, w, c), by ONNX Runtime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def predict(images: Images) -> Images:
        return np.asarray(session.run(None, {INPUT: images})[0])

    return predict


def write_int8(source: Path, target: Path, images: Images) -> None:
    """Reduce weights and values between layers to bytes.

    Args:
        source: The network in float32.
        target: Gets the reduced one, which takes and returns float32 all the same.
        images: What the scales of its values are measured on, float32 (n, h, w, c).
    """
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared), str(target), _Batches(images), quant_format=QuantFormat.QDQ,
            per_channel=True, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
            # 7 bits: products of 8 bits overflow where a processor adds two of them in 16 bits, as
            # all x86 without VNNI do
            reduce_range=True,
        )  # fmt: skip


class _Batches(CalibrationDataReader):  # type: ignore[misc]
    """Images, as the library asks for them."""

    def __init__(self, images: Images) -> None:
        self._batches = iter(np.array_split(images, max(1, len(images) // BATCH)))

    def get_next(self) -> dict[str, Any] | None:
        """Return the next images; None at the end."""
        batch = next(self._batches, None)
        return None if batch is None else {INPUT: batch}
