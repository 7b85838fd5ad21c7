"""Networks as files: the same bytes every time, and nothing in them runs."""

import time
import zipfile

import numpy as np
import pytest

from autoencoders.errors import PipelineError
from tasks.formats.keras_files import load_network, save_network
from tasks.resolve import resolve_threads
from tasks.runtime import import_tensorflow


@pytest.fixture(autouse=True)
def tensorflow():
    """TensorFlow, set up as stages do."""
    import_tensorflow(resolve_threads(), print)


def test_a_network_file_that_asks_for_code_is_refused(tmp_path):
    """Keras can store functions as byte code; safe mode does not run them."""
    import keras

    network = keras.Sequential([keras.Input((1,)), keras.layers.Lambda(lambda x: x + 1)])
    path = tmp_path / "evil.keras"
    network.save(path)

    with pytest.raises(PipelineError, match="not a network that Keras can load safely"):
        load_network(path)


def test_a_network_file_has_the_same_bytes_every_time(tmp_path):
    """Keras writes the time of day and addresses in memory into it."""
    from autoencoders.models.network import build_network

    networks = [build_network((8, 8, 1), seed=0) for _ in "ab"]  # both alive: other addresses
    for name, network in zip("ab", networks, strict=True):
        save_network(network, tmp_path / f"{name}.keras")
        time.sleep(2.1)  # a ZIP archive states times in steps of two seconds

    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "b.keras").read_bytes()
    assert zipfile.ZipFile(tmp_path / "a.keras").testzip() is None


def test_a_saved_network_computes_the_same_when_it_is_loaded(tmp_path):
    """Weights and layers come back bit by bit."""
    from autoencoders.models.network import build_network

    network = build_network((8, 8, 1), seed=3)
    save_network(network, tmp_path / "a.keras")
    images = np.random.default_rng(0).random((2, 8, 8, 1), np.float32)

    loaded = load_network(tmp_path / "a.keras")
    assert np.array_equal(loaded.predict(images, verbose=0), network.predict(images, verbose=0))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half an archive", b"no archive"])
def test_a_file_that_is_no_network_is_refused(tmp_path, content):
    """By its path, as one that a user can fix."""
    path = tmp_path / "broken.keras"
    path.write_bytes(content)

    with pytest.raises(PipelineError, match=r"broken\.keras: not a network"):
        load_network(path)
