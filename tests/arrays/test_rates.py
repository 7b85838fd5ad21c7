"""Codes of few numbers: the network that has them, and what they are worth."""

import keras
import numpy as np
import pytest

from autoencoders.baselines.principal_components import errors_by_size, fit
from autoencoders.metrics.rates import Probe, Quantiser, between, in_two_dimensions
from autoencoders.models.bottleneck import CODE, build_bottleneck, halves
from autoencoders.models.fused import applied, fused_form
from autoencoders.settings import ResidualSettings

SIZES = ResidualSettings(width=4, inner_width=6, blocks=1)
RNG = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(28, 28, 1), (13, 10, 3)])
def test_the_code_is_all_that_the_output_is_made_from(shape):
    """The two halves are the network, of images of any size; the code has the size asked for."""
    network = build_bottleneck(shape, 0, SIZES, 5)
    images = RNG.random((3, *shape), np.float32)
    encode, decode = halves(network)
    codes = encode(images)

    assert codes.shape == (3, 5)
    assert network.get_layer(CODE).units == 5
    assert np.allclose(decode(codes), network(images), atol=1e-6)
    assert network.output_shape == (None, *shape)


def test_the_fused_form_computes_the_same():
    """Also of each half, in parts that are not whole."""
    network = build_bottleneck((12, 12, 1), 0, SIZES, 5)
    images = RNG.random((130, 12, 12, 1), np.float32)
    encode, _ = halves(network)

    assert np.allclose(fused_form(network, "float32")(images), network(images), atol=1e-5)
    assert np.allclose(applied(encode)(images), encode(images), atol=1e-5)


def test_the_network_is_read_by_plain_keras(tmp_path):
    """In safe mode, to the same function."""
    network = build_bottleneck((12, 12, 1), 0, SIZES, 5)
    network.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras", safe_mode=True)
    images = RNG.random((2, 12, 12, 1), np.float32)

    assert np.array_equal(again(images), network(images))


def test_equal_seeds_give_equal_weights():
    """And other seeds others."""
    first, same, other = (build_bottleneck((12, 12, 1), seed, SIZES, 5) for seed in (0, 0, 1))

    assert all(map(np.array_equal, first.get_weights(), same.get_weights()))
    assert not np.array_equal(first.get_weights()[0], other.get_weights()[0])


def test_principal_components_leave_out_the_smallest_variances():
    """Of the images that they were fitted to, the error is the sum of the left-out eigenvalues of
    the covariance; of others, that of a projection on the first singular vectors."""
    train, test = RNG.random((50, 4, 3, 1)), RNG.random((20, 4, 3, 1))
    learned = fit([(train, train)], 0.0, RNG)
    flat, other = train.reshape(50, 12), test.reshape(20, 12)
    variances = np.sort(np.linalg.eigvalsh(np.cov(flat.T, bias=True)))[::-1]
    _, _, vectors = np.linalg.svd(flat - flat.mean(axis=0))
    for size in (0, 1, 5, 12):
        basis = vectors[:size]
        restored = (other - flat.mean(axis=0)) @ basis.T @ basis + flat.mean(axis=0)
        left = variances[size:].sum() / 12
        assert errors_by_size(train, learned)[size] == pytest.approx(left, abs=1e-12)
        error = np.square(restored - other).mean()
        assert errors_by_size(test, learned)[size] == pytest.approx(error, abs=1e-12)


def test_a_number_in_eight_bits_is_one_of_256():
    """Evenly spaced from the least to the most of the train images; what is outside is clipped."""
    train = np.array([[0.0, 5.0], [1.0, 5.0]])
    quantise = Quantiser.of(train, 8)
    codes = np.column_stack([np.linspace(-1, 2, 4000), np.full(4000, 7.0)])
    found = quantise(codes)

    assert len(np.unique(found[:, 0])) == 256
    assert (found[:, 0].min(), found[:, 0].max()) == (0, 1)
    inside = (codes[:, 0] >= 0) & (codes[:, 0] <= 1)
    assert np.abs(found[inside, 0] - codes[inside, 0]).max() <= 0.5 / 255 + 1e-12
    assert set(found[:, 1]) == {5.0}  # a number that never varies


def test_a_probe_finds_classes_that_a_plane_can_tell():
    """And no more than chance where there is nothing to find."""
    labels = RNG.integers(0, 3, 600)
    clear = RNG.normal(size=(600, 4)) * 0.1 + np.eye(3, 4)[labels]
    blind = RNG.normal(size=(600, 4))

    assert Probe.fit(clear[:400], labels[:400]).accuracy(clear[400:], labels[400:]) > 0.98
    assert Probe.fit(blind[:400], labels[:400]).accuracy(blind[400:], labels[400:]) < 0.5


def test_a_probe_survives_numbers_that_say_nothing():
    """A code may have numbers that never vary, or that repeat others."""
    labels = RNG.integers(0, 2, 100)
    features = np.column_stack([labels, labels, np.zeros(100)]).astype(float)

    assert Probe.fit(features, labels).accuracy(features, labels) == 1


def test_a_map_shows_the_plane_of_most_variance():
    """The first axis has the most; a code of one number lies on a line."""
    codes = RNG.normal(size=(200, 5)) * np.array([1, 9, 1, 4, 1])
    places = in_two_dimensions(codes)

    assert places.shape == (200, 2)
    assert abs(np.corrcoef(places[:, 0], codes[:, 1])[0, 1]) > 0.98
    assert abs(np.corrcoef(places[:, 1], codes[:, 3])[0, 1]) > 0.95
    assert not in_two_dimensions(codes[:, :1])[:, 1].any()


def test_a_line_of_codes_has_both_ends():
    """And even steps between them."""
    line = between(np.array([0.0, 1.0]), np.array([1.0, -1.0]), 5)

    assert line[0].tolist() == [0, 1]
    assert line[-1].tolist() == [1, -1]
    assert np.allclose(np.diff(line, axis=0), [0.25, -0.5])
