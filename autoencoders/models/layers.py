"""Which layer of a network reads which."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras


@dataclass(frozen=True)
class Links:
    """The layers of a network in an order in which they can be computed, and what each reads."""

    layers: tuple[keras.Layer, ...]
    """All but the one that takes the input."""
    reads: Mapping[str, tuple[str, ...]]
    """By name of a layer, the names of those whose outputs it gets."""
    first: str
    """The name of the network's input."""
    last: str
    """The name of the layer whose output is the network's."""

    @classmethod
    def of(cls, network: keras.Model) -> "Links":
        """Find out how the layers of a network follow one another.

        Args:
            network: A sequential or functional model with one input and one output, in which no
                layer occurs twice.

        Raises:
            TypeError: If it is of another kind.
        """
        layers = tuple(
            one for one in network.layers if not isinstance(one, keras.layers.InputLayer)
        )
        if isinstance(network, keras.Sequential):
            names = ["input", *(layer.name for layer in layers)]
            chain = {name: (before,) for before, name in itertools.pairwise(names)}
            return cls(layers, chain, names[0], names[-1])
        # As a file of the network has it: Keras's own record of the links is not public
        config = network.get_config()
        if "output_layers" not in config:
            raise TypeError(f"`network` has no graph of layers. Received: {type(network)}")
        reads: dict[str, tuple[str, ...]] = {}
        for layer in config["layers"]:
            if len(layer["inbound_nodes"]) > 1:
                raise TypeError(f"`network` has a layer that occurs twice: {layer['name']}")
            reads[layer["name"]] = tuple(_histories(layer["inbound_nodes"]))
        (first,) = _names(config["input_layers"])
        (last,) = _names(config["output_layers"])
        return cls(layers, reads, first, last)

    def only_reader(self, layer: keras.Layer) -> keras.Layer | None:
        """Return the layer that alone reads the output of `layer`, and nothing else."""
        found = [one for one in self.layers if layer.name in self.reads[one.name]]
        alone = len(found) == 1 and self.reads[found[0].name] == (layer.name,)
        return found[0] if alone and layer.name != self.last else None


def _histories(value: Any) -> Iterator[str]:
    """Yield the names of the layers whose outputs occur in part of a configuration."""
    if isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__":
            yield value["config"]["keras_history"][0]
            return
        value = list(value.values())
    if isinstance(value, list | tuple):
        for one in value:
            yield from _histories(one)


def _names(layers: Any) -> list[str]:
    """Return the names in what a configuration has of inputs or outputs: one place, or several."""
    return [layers[0]] if isinstance(layers[0], str) else [place[0] for place in layers]
