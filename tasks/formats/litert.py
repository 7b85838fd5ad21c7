"""Networks as TensorFlow's SavedModel and as LiteRT files, and functions that run them."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.float32]
Predict = Callable[[Images], Images]


def save_model(network: Any, folder: Path) -> None:
    """Write a network of Keras as a SavedModel for any number of images."""
    network.export(folder, format="tf_saved_model", verbose=False)


def saved_model_predictor(folder: Path) -> Predict:
    """Return a function that restores images, float32 (n, h, w, c), by TensorFlow alone."""
    import tensorflow as tf

    loaded = tf.saved_model.load(folder)
    return lambda images: np.asarray(loaded.serve(images))


def write_litert(network: Any, target: Path, images: Images | None = None) -> None:
    """Convert a network of Keras to a LiteRT file for any number of images.

    Args:
        network: The network.
        target: The file, which takes and returns float32.
        images: If given, weights and values between layers are reduced to int8, with scales that
            are measured on them, float32 (n, h, w, c).
    """
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        save_model(_resizing(network), Path(folder))
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if images is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: _one_by_one(images)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        target.write_bytes(converter.convert())


def _resizing(network: Any) -> Any:
    """Return the same network, whose upsampling LiteRT knows as such.

    Keras repeats rows and columns by reshaping, from which the converter cannot tell the sizes that
    convolutions behind it need.
    """
    import keras
    import tensorflow as tf

    class Enlarged(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self, factors: tuple[int, int], name: str) -> None:
            super().__init__(name=name)
            self._factors = factors

        def call(self, images: Any) -> Any:
            size = [
                side * each for side, each in zip(images.shape[1:3], self._factors, strict=True)
            ]
            return tf.raw_ops.ResizeNearestNeighbor(images=images, size=size)

    def copied(layer: Any) -> Any:
        if isinstance(layer, keras.layers.UpSampling2D) and layer.interpolation == "nearest":
            return Enlarged(layer.size, layer.name)
        return layer.__class__.from_config(layer.get_config())

    made = keras.models.clone_model(network, clone_function=copied)
    made.set_weights(network.get_weights())
    return made


def litert_predictor(path: Path, threads: int) -> Predict:
    """Return a function that restores images, float32 (n, h, w, c), by LiteRT."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=threads)
    [taken], [given] = interpreter.get_input_details(), interpreter.get_output_details()

    def predict(images: Images) -> Images:
        if tuple(interpreter.get_input_details()[0]["shape"]) != images.shape:
            interpreter.resize_tensor_input(taken["index"], images.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(taken["index"], images)
        interpreter.invoke()
        return np.array(interpreter.get_tensor(given["index"]))

    return predict


def _one_by_one(images: Images) -> Iterator[list[Images]]:
    for at in range(len(images)):
        yield [images[at : at + 1]]
