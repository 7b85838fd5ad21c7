"""Optimisers and schedules, against the formulas in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from autoencoders.models.optimisers import Muon, Schedule, make_optimizer, orthogonal_update
from autoencoders.settings import ResolvedTraining

RNG = np.random.default_rng(0)
SHAPES = [(3, 3, 1, 4), (4,), (3, 3, 4, 6), (6,), (5, 5), (2, 2, 7, 6), (7,), (6, 6, 1, 7), (1,)]
"""Of a network: first kernel, inner ones (a convolution, places, one transposed), last kernel."""
INNER = (2, 4, 5)


def settings(**training):
    """Settings of a training in float32."""
    return ResolvedTraining(precision="float32", threads=1, **training)


def muon_by_hand(weights, gradients, rate):
    """Steps of Muon as its authors write them, in float64."""
    weights = [one.astype(np.float64) for one in weights]
    first = [np.zeros_like(one) for one in weights]
    second = [np.zeros_like(one) for one in weights]
    for step, of_step in enumerate(gradients, start=1):
        for index, g in enumerate(of_step):
            if index in INNER:
                first[index] = 0.95 * first[index] + g
                u = (g + 0.95 * first[index]).reshape(-1, g.shape[-1])
                x = u / np.linalg.norm(u)
                tall = x.shape[0] > x.shape[1]
                x = x.T if tall else x
                for _ in range(5):
                    a = x @ x.T
                    x = 3.4445 * x + (-4.775 * a + 2.0315 * a @ a) @ x
                x = x.T if tall else x
                weights[index] -= rate * 0.2 * max(x.shape) ** 0.5 * x.reshape(g.shape)
            else:
                first[index] = 0.9 * first[index] + 0.1 * g
                second[index] = 0.99 * second[index] + 0.01 * g**2
                mean, square = first[index] / (1 - 0.9**step), second[index] / (1 - 0.99**step)
                weights[index] -= 0.2 * rate * mean / (np.sqrt(square) + 1e-7)
    return weights


def test_muon_is_what_its_authors_describe():
    """Kernels of convolutions by Newton-Schulz steps; biases and the outer kernels by Adam."""
    weights = [RNG.standard_normal(shape).astype(np.float32) for shape in SHAPES]
    gradients = [
        [RNG.standard_normal(shape).astype(np.float32) for shape in SHAPES] for _ in range(3)
    ]
    variables = [keras.Variable(one) for one in weights]
    optimizer = Muon(0.03, "float32")
    for of_step in gradients:
        optimizer.apply([tf.constant(one) for one in of_step], variables)

    for found, expected in zip(variables, muon_by_hand(weights, gradients, 0.03), strict=True):
        assert np.allclose(found.numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("shape", [(3, 3, 8, 16), (3, 3, 16, 8), (1, 1, 4, 30)])
def test_an_update_reaches_all_directions_alike(shape, precision):
    """Its singular vectors stay, its singular values come near 1; bfloat16 is good enough."""
    update = RNG.standard_normal(shape).astype(np.float32)
    found = orthogonal_update(tf.constant(update), precision).numpy()
    matrix, before = found.reshape(-1, shape[-1]), update.reshape(-1, shape[-1])
    values = np.linalg.svd(matrix / (0.2 * max(matrix.shape) ** 0.5), compute_uv=False)
    u, _, v = np.linalg.svd(before, full_matrices=False)

    assert found.shape == shape
    assert 0.6 < values.min() <= values.max() < 1.3
    assert np.sqrt(np.mean(np.square(found))) == pytest.approx(0.2, rel=0.2)
    alike = np.sum(matrix * (u @ v)) / np.linalg.norm(matrix) / np.linalg.norm(u @ v)
    assert alike > 0.95


def test_an_update_of_zeros_stays_zero():
    """As of a layer whose outputs are all cut off; it must not become a number that is none."""
    assert np.all(orthogonal_update(tf.zeros((3, 3, 4, 4)), "float32").numpy() == 0)


def rates(**training):
    """Return the rates of a training of 100 steps."""
    schedule = Schedule(settings(learning_rate=0.5, **training), 100)
    return schedule(tf.range(100)).numpy()


def test_the_rate_rises_and_then_falls_to_zero():
    """Linearly over the warm-up; then along a line, or half a cosine, or not at all."""
    line, cosine, constant = (
        rates(schedule=name, warmup=0.2) for name in ("linear", "cosine", "constant")
    )
    after = (np.arange(80) + 0.5) / 80

    for one in (line, cosine, constant):
        assert np.allclose(one[:20], 0.5 * (np.arange(20) + 0.5) / 20)
    assert np.allclose(line[20:], 0.5 * (1 - after), atol=1e-6)
    assert np.allclose(cosine[20:], 0.25 * (1 + np.cos(np.pi * after)), atol=1e-6)
    assert np.allclose(constant[20:], 0.5)
    assert rates(schedule="linear")[0] > 0.49


def test_the_default_is_plain_rmsprop():
    """The reference, with Keras's defaults and a rate that is a number."""
    optimizer = make_optimizer(settings(), steps=10)

    assert type(optimizer) is keras.optimizers.RMSprop
    assert {**optimizer.get_config(), "name": None} == {
        **keras.optimizers.RMSprop(0.001).get_config(), "name": None,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["rmsprop", "adamw", "muon"])
def test_every_optimiser_has_rate_schedule_and_decay(name):
    """Without gradients only the decay moves the weights, by its share of the rate."""
    training = settings(optimizer=name, learning_rate=0.5, schedule="linear", weight_decay=0.1)
    optimizer = make_optimizer(training, steps=2)
    variables = [keras.Variable(np.ones(shape, np.float32)) for shape in SHAPES]
    for _ in range(2):
        optimizer.apply([tf.zeros(shape) for shape in SHAPES], variables)

    for variable in variables:
        assert np.allclose(variable.numpy(), (1 - 0.375 * 0.1) * (1 - 0.125 * 0.1))
