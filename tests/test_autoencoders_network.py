"""The reference network and its training."""

import numpy as np
import pytest

from autoencoders.errors import PipelineError
from autoencoders.network import build_network, layer_table
from autoencoders.training import DivergedError, Trainer, split_validation

SHAPE = (8, 8, 1)


@pytest.fixture
def images():
    """Forty random images."""
    return np.random.default_rng(0).random((40, *SHAPE), dtype=np.float32)


def test_the_reference_network_has_the_reference_layers():
    """Six convolutions, these shapes, these parameters: the network of the published figures."""
    table = layer_table(build_network((28, 28, 1), seed=0))
    convolutions = table[table["kind"] == "Conv2D"]

    assert convolutions[["output", "activation", "parameters"]].values.tolist() == [
        ["28 x 28 x 32", "relu", 320],
        ["14 x 14 x 64", "relu", 18_496],
        ["7 x 7 x 128", "relu", 73_856],
        ["7 x 7 x 128", "relu", 147_584],
        ["14 x 14 x 64", "relu", 73_792],
        ["28 x 28 x 1", "sigmoid", 577],
    ]
    assert table["kind"].tolist() == [
        "Conv2D", "MaxPooling2D", "Conv2D", "MaxPooling2D", "Conv2D",
        "Conv2D", "UpSampling2D", "Conv2D", "UpSampling2D", "Conv2D",
    ]  # fmt: skip
    assert table["parameters"].sum() == 314_625


def test_first_weights_depend_on_the_seed_alone():
    """Whatever was built before in the process."""
    first, again, other = (build_network(SHAPE, seed) for seed in (1, 1, 2))

    for a, b in zip(first.get_weights(), again.get_weights(), strict=True):
        assert np.array_equal(a, b)
    assert not np.array_equal(first.get_weights()[0], other.get_weights()[0])


def test_a_side_that_cannot_be_halved_twice_is_refused():
    """Pooling and upsampling would not meet again."""
    with pytest.raises(ValueError, match="multiples of 4"):
        build_network((30, 28, 1), seed=0)


def test_one_step_is_that_of_keras_fit(images):
    """RMSprop with Keras's defaults on the mean squared error, checked against `fit` itself."""
    ours, theirs = build_network(SHAPE, seed=0), build_network(SHAPE, seed=0)
    Trainer(ours, 0.001, batch_size=40, seed=0, precision="float32").train_epoch(
        images, images, np.arange(40), 0
    )
    theirs.compile("rmsprop", "mse")
    theirs.fit(images, images, batch_size=40, epochs=1, shuffle=False, verbose=0)

    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert np.allclose(a, b, atol=1e-5)


@pytest.mark.parametrize(("precision", "batch_size"), [("float32", 7), ("bfloat16", 16)])
def test_training_goes_on_from_a_state_as_if_it_never_stopped(images, precision, batch_size):
    """The state holds weights and optimiser; the order of an epoch needs no memory."""
    fit, held_out = split_validation(40, 0.2, seed=0)
    straight = Trainer(build_network(SHAPE, seed=0), 0.001, batch_size, 0, precision)
    losses = [straight.train_epoch(images, images, fit, epoch) for epoch in range(3)]
    stopped = Trainer(build_network(SHAPE, seed=0), 0.001, batch_size, 0, precision)
    stopped.train_epoch(images, images, fit, 0)
    resumed = Trainer(build_network(SHAPE, seed=5), 0.001, batch_size, 0, precision)
    resumed.restore(stopped.state())

    assert [resumed.train_epoch(images, images, fit, epoch) for epoch in (1, 2)] == losses[1:]
    assert resumed.validate(images, images, held_out) == straight.validate(images, images, held_out)
    for name, value in straight.state().items():
        assert np.array_equal(value, resumed.state()[name]), name


def test_a_state_of_another_network_is_refused(images):
    """A checkpoint of 8 x 8 x 3 must not be squeezed into 8 x 8 x 1."""
    trainer = Trainer(build_network(SHAPE, seed=0), 0.001, 7, seed=0, precision="float32")
    other = Trainer(build_network((8, 8, 3), seed=0), 0.001, 7, seed=0, precision="float32")

    with pytest.raises(ValueError, match="another network"):
        trainer.restore(other.state())


def test_training_learns(images):
    """The loss after some epochs is well below the first."""
    smooth = np.repeat(np.repeat(images[:, :2, :2], 4, axis=1), 4, axis=2)
    trainer = Trainer(build_network(SHAPE, seed=0), 0.001, 8, seed=0, precision="float32")
    losses = [trainer.train_epoch(smooth, smooth, np.arange(40), epoch) for epoch in range(20)]

    assert losses[-1] < losses[0] / 2


def test_a_loss_that_is_not_finite_stops_training(images):
    """It names the epoch, the step and the option to try."""
    images[3] = np.nan
    trainer = Trainer(build_network(SHAPE, seed=0), 0.001, 8, seed=0, precision="float32")

    with pytest.raises(DivergedError, match=r"epoch 1, step .*training\.learning_rate"):
        trainer.train_epoch(images, images, np.arange(40), 0)


def test_validation_images_are_a_seeded_share_of_train():
    """Every image is on one side, and the side depends on the seed."""
    fit, held_out = split_validation(60_000, 0.2, seed=0)

    assert len(held_out) == 12_000
    assert np.array_equal(np.sort(np.concatenate([fit, held_out])), np.arange(60_000))
    assert np.array_equal(held_out, split_validation(60_000, 0.2, seed=0)[1])
    assert not np.array_equal(held_out, split_validation(60_000, 0.2, seed=1)[1])


def test_too_few_images_for_a_split_are_refused():
    """Validation on no image has no loss."""
    with pytest.raises(PipelineError, match="validation_fraction"):
        split_validation(2, 0.2, seed=0)
