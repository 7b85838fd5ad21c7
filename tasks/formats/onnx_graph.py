"""Networks of Keras as graphs in the ONNX format, layer by layer.

Keras keeps the channels of images last, ONNX first. Each tensor is brought to the order that its
next layer needs at most once, so that of a network of convolutions only input and output turn.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper

from autoencoders.errors import PipelineError

if TYPE_CHECKING:
    import keras

OPSET, IR_VERSION = 17, 8
"""Of 2022, so that runtimes of the last years read it; newer ones have nothing that is needed."""
FIRST, LAST = (0, 3, 1, 2), (0, 2, 3, 1)
"""Brings the channels of images to the front, or to the end."""
INPUT, OUTPUT = "image", "restored"


@dataclass(frozen=True)
class Tensor:
    """A value in the graph."""

    name: str
    shape: tuple[int, ...]
    """As Keras has it, without the images: (h, w, c) for images."""
    channels_first: bool = False


Writer = Callable[["Graph", Any, list[Tensor]], Tensor]
"""Adds the nodes of a layer to a graph: takes the layer and its inputs, returns its output."""


class Graph:
    """A graph under construction."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self._turned: dict[str, Tensor] = {}

    def add(self, kind: str, inputs: Sequence[str], like: Tensor, **attributes: Any) -> Tensor:
        """Add a node; return its output, of the shape and order of `like`."""
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return Tensor(name, like.shape, like.channels_first)

    def constant(self, values: NDArray[Any]) -> str:
        """Add a constant; return its name."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def turned(self, tensor: Tensor, *, channels_first: bool) -> Tensor:
        """Return a tensor in this order; of what is no image there is only one."""
        if len(tensor.shape) != 3 or tensor.channels_first == channels_first:
            return tensor
        if tensor.name not in self._turned:
            wanted = Tensor("", tensor.shape, channels_first)
            order = FIRST if channels_first else LAST
            made = self.add("Transpose", [tensor.name], wanted, perm=order)
            self._turned[tensor.name], self._turned[made.name] = made, tensor
        return self._turned[tensor.name]


def onnx_network(network: "keras.Model", writers: dict[str, Writer], about: str) -> ModelProto:
    """Build the graph of a network, for any number of images.

    Args:
        network: One input and one output of the same shape, (n, h, w, c).
        writers: By the name of a layer's class, what adds its nodes.
        about: A sentence about the network that is kept in the file.

    Raises:
        PipelineError: If it has a layer that nobody writes, or one that is used several times.
    """
    graph = Graph()
    shape = tuple(network.input_shape[1:])
    tensors: dict[str, Tensor] = {}
    last = Tensor(INPUT, shape)
    for layer, sources in _layers(network):
        inputs = [tensors[name] for name in sources] or [Tensor(INPUT, shape)]
        writer = writers.get(type(layer).__name__)
        if writer is None or type(layer).__module__.partition(".")[0] != "keras":
            raise PipelineError(
                f"{network.name}: its layer {layer.name} is a {type(layer).__name__}, which is not "
                "written in the ONNX format.",
                "Export it as litert or saved_model: --format litert,saved_model.",
            )
        last = tensors[layer.name] = writer(graph, layer, inputs)
    last = graph.turned(last, channels_first=False)
    graph.nodes.append(helper.make_node("Identity", [last.name], [OUTPUT], name=OUTPUT))
    sizes = ["images", *shape]
    made = helper.make_graph(
        graph.nodes, network.name,
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, sizes)],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, sizes)],
        graph.constants, doc_string=about,
    )  # fmt: skip
    model = helper.make_model(
        made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION,
        producer_name="autoencoder-pipeline", doc_string=about,
    )  # fmt: skip
    checker.check_model(model, full_check=True)
    return model


def _layers(network: "keras.Model") -> list[tuple[Any, list[str]]]:
    """Return each layer, in order, with the names of those whose outputs it takes."""
    import keras

    if isinstance(network, keras.Sequential):
        names = [layer.name for layer in network.layers]
        before: list[list[str]] = [[], *([name] for name in names[:-1])]
        return list(zip(network.layers, before, strict=True))
    found = []
    for config in network.get_config()["layers"]:
        uses = config["inbound_nodes"]
        if len(uses) > 1:
            raise PipelineError(
                f"{network.name}: its layer {config['name']} is used more than once, which is not "
                "written in the ONNX format.",
                "Export it as litert or saved_model: --format litert,saved_model.",
            )
        found.append((network.get_layer(config["name"]), _sources(uses)))
    return found


def _sources(value: Any) -> list[str]:
    """Return the layers named in the arguments of a call, as Keras writes them down."""
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        return [value["config"]["keras_history"][0]]
    inner = value.values() if isinstance(value, dict) else value
    if isinstance(value, dict | list | tuple):
        return [name for one in inner for name in _sources(one)]
    return []
