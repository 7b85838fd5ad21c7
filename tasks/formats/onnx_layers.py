"""The layers of Keras that are written in the ONNX format. A new one is a function and an entry."""

from typing import Any

import numpy as np

from autoencoders.errors import PipelineError
from tasks.formats.onnx_graph import Graph, Tensor, Writer

ACTIVATIONS = {
    "relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "softplus": "Softplus", "elu": "Elu",
    "softsign": "Softsign",
}  # fmt: skip
"""By the name of an activation, its node."""


def _same(graph: Graph, layer: Any, inputs: list[Tensor]) -> Tensor:
    """Of what does something in training alone."""
    return inputs[0]


def _activated(graph: Graph, name: str, tensor: Tensor) -> Tensor:
    if name == "linear":
        return tensor
    if name in ("silu", "swish"):
        gate = graph.add("Sigmoid", [tensor.name], tensor)
        return graph.add("Mul", [tensor.name, gate.name], tensor)
    if name not in ACTIVATIONS:
        raise PipelineError(
            f"The activation {name} is not written in the ONNX format.",
            "Export it as litert or saved_model: --format litert,saved_model.",
        )
    return graph.add(ACTIVATIONS[name], [tensor.name], tensor)


def _activation(graph: Graph, layer: Any, inputs: list[Tensor]) -> Tensor:
    return _activated(graph, layer.activation.__name__, inputs[0])


def _relu(graph: Graph, layer: Any, inputs: list[Tensor]) -> Tensor:
    _require(layer, layer.max_value is None and not layer.threshold)
    if layer.negative_slope:
        return _leaky(graph, layer, inputs)
    return graph.add("Relu", [inputs[0].name], inputs[0])


def _leaky(graph: Graph, layer: Any, inputs: list[Tensor]) -> Tensor:
    slope = float(layer.negative_slope)
    return graph.add("LeakyRelu", [inputs[0].name], inputs[0], alpha=slope)


def _convolution(graph: Graph, layer: Any, inputs: list[Tensor]) -> Tensor:
    image = graph.turned(inputs[0], channels_first=True)
    made = graph.add(
        "Conv", [image.name, *_weights(graph, layer)], _output(layer), strides=layer.strides,
        dilations=layer.dilation_rate, group=layer.groups, kernel_shape=layer.kernel_size,
        pads=_border(layer, layer.kernel_size, layer.dilation_rate, image.shape),
    )  # fmt: skip
    return _activated(graph, layer.activation.__name__, made)


def _transposed(graph: Graph, layer: Any, inputs: list[Tensor]) -> Tensor:
    image = graph.turned(inputs[0], channels_first=True)
    missing = [size - step for size, step in zip(layer.kernel_size, layer.strides, strict=True)]
    plain = layer.padding == "same" and _channels_last(layer) and layer.output_padding is None
    _require(layer, plain and min(missing) >= 0 and set(layer.dilation_rate) == {1})
    made = graph.add(
        "ConvTranspose", [image.name, *_weights(graph, layer)], _output(layer),
        strides=layer.strides, kernel_shape=layer.kernel_size,
        pads=[*(one // 2 for one in missing), *(one - one // 2 for one in missing)],
    )  # fmt: skip
    return _activated(graph, layer.activation.__name__, made)


def _weights(graph: Graph, layer: Any) -> list[str]:
    """Return the kernel, height and width last, and the bias if there is one."""
    kernel = np.asarray(layer.kernel).transpose(3, 2, 0, 1)  # (o, i, h, w); transposed (i, o, h, w)
    bias = [np.asarray(layer.bias)] if layer.use_bias else []
    return [graph.constant(one) for one in (kernel, *bias)]


def _pooling(kind: str) -> Writer:
    def write(graph: Graph, layer: Any, inputs: list[Tensor]) -> Tensor:
        image = graph.turned(inputs[0], channels_first=True)
        return graph.add(
            kind, [image.name], _output(layer), kernel_shape=layer.pool_size,
            strides=layer.strides, pads=_border(layer, layer.pool_size, (1, 1), image.shape),
        )  # fmt: skip

    return write


def _upsampling(graph: Graph, layer: Any, inputs: list[Tensor]) -> Tensor:
    _require(layer, layer.interpolation == "nearest")
    image = graph.turned(inputs[0], channels_first=True)
    scales = graph.constant(np.array([1, 1, *layer.size], np.float32))
    return graph.add(
        "Resize", [image.name, "", scales], _output(layer), mode="nearest",
        coordinate_transformation_mode="asymmetric", nearest_mode="floor",
    )  # fmt: skip


def _padding(graph: Graph, layer: Any, inputs: list[Tensor]) -> Tensor:
    image = graph.turned(inputs[0], channels_first=True)
    (top, bottom), (left, right) = layer.padding
    pads = graph.constant(np.array([0, 0, top, left, 0, 0, bottom, right], np.int64))
    return graph.add("Pad", [image.name, pads], _output(layer))


def _cropping(graph: Graph, layer: Any, inputs: list[Tensor]) -> Tensor:
    image = graph.turned(inputs[0], channels_first=True)
    (top, bottom), (left, right) = layer.cropping
    height, width, _ = image.shape
    places = [(top, left), (height - bottom, width - right), (2, 3)]
    constants = [graph.constant(np.array(one, np.int64)) for one in places]
    return graph.add("Slice", [image.name, *constants], _output(layer))


def _dense(graph: Graph, layer: Any, inputs: list[Tensor]) -> Tensor:
    values = graph.turned(inputs[0], channels_first=False)
    shape = Tensor("", tuple(layer.output.shape[1:]))
    made = graph.add("MatMul", [values.name, graph.constant(np.asarray(layer.kernel))], shape)
    if layer.use_bias:
        made = graph.add("Add", [made.name, graph.constant(np.asarray(layer.bias))], shape)
    return _activated(graph, layer.activation.__name__, made)


def _einsum(graph: Graph, layer: Any, inputs: list[Tensor]) -> Tensor:
    _require(layer, "." not in layer.equation)
    values = graph.turned(inputs[0], channels_first=False)
    shape = Tensor("", tuple(layer.output.shape[1:]))
    kernel = graph.constant(np.asarray(layer.kernel))
    made = graph.add("Einsum", [values.name, kernel], shape, equation=layer.equation)
    if layer.bias is not None:
        made = graph.add("Add", [made.name, graph.constant(np.asarray(layer.bias))], shape)
    return _activated(graph, layer.activation.__name__, made)


def _reshape(graph: Graph, layer: Any, inputs: list[Tensor]) -> Tensor:
    values = graph.turned(inputs[0], channels_first=False)
    shape = tuple(layer.output.shape[1:])
    sizes = graph.constant(np.array([0, *shape], np.int64))  # 0: as many images as there are
    return graph.add("Reshape", [values.name, sizes], Tensor("", shape))


def _permute(graph: Graph, layer: Any, inputs: list[Tensor]) -> Tensor:
    values = graph.turned(inputs[0], channels_first=False)
    shape = Tensor("", tuple(layer.output.shape[1:]))
    return graph.add("Transpose", [values.name], shape, perm=[0, *layer.dims])


def _elementwise(kind: str) -> Writer:
    def write(graph: Graph, layer: Any, inputs: list[Tensor]) -> Tensor:
        first = inputs[0]
        _require(layer, all(one.shape == first.shape for one in inputs))
        for other in inputs[1:]:
            turned = graph.turned(other, channels_first=first.channels_first)
            first = graph.add(kind, [first.name, turned.name], first)
        return first

    return write


def _concatenate(graph: Graph, layer: Any, inputs: list[Tensor]) -> Tensor:
    rank = len(inputs[0].shape)
    _require(layer, layer.axis in (-1, rank))
    first = rank == 3  # images
    names = [graph.turned(one, channels_first=first).name for one in inputs]
    shape = Tensor("", tuple(layer.output.shape[1:]), first)
    return graph.add("Concat", names, shape, axis=1 if first else rank)


def _normalisation(graph: Graph, layer: Any, inputs: list[Tensor]) -> Tensor:
    values = graph.turned(inputs[0], channels_first=False)
    mean, variance = np.asarray(layer.moving_mean), np.asarray(layer.moving_variance)
    scale = 1 / np.sqrt(variance + layer.epsilon)
    scale = scale * (np.asarray(layer.gamma) if layer.scale else 1)
    shift = (np.asarray(layer.beta) if layer.center else 0) - mean * scale
    made = graph.add("Mul", [values.name, graph.constant(scale.astype(np.float32))], values)
    return graph.add("Add", [made.name, graph.constant(shift.astype(np.float32))], values)


def _output(layer: Any) -> Tensor:
    """Return what the output of a layer of images is like, channels first."""
    return Tensor("", tuple(layer.output.shape[1:]), channels_first=True)


def _border(
    layer: Any, size: tuple[int, ...], dilation: tuple[int, ...], shape: tuple[int, ...]
) -> list[int]:
    """Return how many zeros go around an image: before each side, then behind each."""
    _require(layer, layer.padding in ("same", "valid") and _channels_last(layer))
    if layer.padding == "valid":
        return [0, 0, 0, 0]
    missing = []
    for side, each, step, apart in zip(shape[:2], size, layer.strides, dilation, strict=True):
        count = -(-side // step)
        missing.append(max(0, (count - 1) * step + (each - 1) * apart + 1 - side))
    return [*(one // 2 for one in missing), *(one - one // 2 for one in missing)]


def _channels_last(layer: Any) -> bool:
    return bool(layer.data_format == "channels_last")


def _require(layer: Any, condition: bool) -> None:
    """Refuse a layer with options that are not written.

    Raises:
        PipelineError: Unless the condition holds.
    """
    if not condition:
        raise PipelineError(
            f"The layer {layer.name} ({type(layer).__name__}) has options that are not written in "
            "the ONNX format.",
            "Export it as litert or saved_model: --format litert,saved_model.",
        )


WRITERS: dict[str, Writer] = {
    "InputLayer": _same, "Dropout": _same, "GaussianNoise": _same, "Identity": _same,
    "Conv2D": _convolution, "Conv2DTranspose": _transposed, "Dense": _dense,
    "EinsumDense": _einsum, "BatchNormalization": _normalisation,
    "MaxPooling2D": _pooling("MaxPool"), "AveragePooling2D": _pooling("AveragePool"),
    "UpSampling2D": _upsampling, "ZeroPadding2D": _padding, "Cropping2D": _cropping,
    "Activation": _activation, "ReLU": _relu, "LeakyReLU": _leaky,
    "Reshape": _reshape, "Flatten": _reshape, "Permute": _permute,
    "Add": _elementwise("Add"), "Subtract": _elementwise("Sub"), "Multiply": _elementwise("Mul"),
    "Concatenate": _concatenate,
}  # fmt: skip
"""By the name of a layer's class, what writes it."""
