"""The reference network and its training."""

import numpy as np
import pytest
import tensorflow as tf

from autoencoders.errors import PipelineError
from autoencoders.network import build_network, layer_table
from autoencoders.training import DivergedError, Trainer, split_validation, with_fresh_noise

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


@pytest.mark.parametrize(
    ("precision", "batch_size", "noise"),
    [("float32", 7, None), ("bfloat16", 16, None), ("float32", 8, 0.5)],
)
def test_training_goes_on_from_a_state_as_if_it_never_stopped(images, precision, batch_size, noise):
    """The state holds weights and optimiser; order and noise of an epoch need no memory."""
    fit, held_out = split_validation(40, 0.2, seed=0)
    straight, stopped, resumed = (
        Trainer(build_network(SHAPE, seed), 0.001, batch_size, 0, precision, noise)
        for seed in (0, 0, 5)
    )
    losses = [straight.train_epoch(images, images, fit, epoch) for epoch in range(3)]
    stopped.train_epoch(images, images, fit, 0)
    resumed.restore(stopped.state())

    assert [resumed.train_epoch(images, images, fit, epoch) for epoch in (1, 2)] == losses[1:]
    assert resumed.validate(images, images, held_out) == straight.validate(images, images, held_out)
    for name, value in straight.state().items():
        assert np.array_equal(value, resumed.state()[name]), name


def test_fresh_noise_has_the_requested_deviation_and_stays_in_range():
    """Grey shows its size, black that it is clipped; equal seeds give equal noise."""
    grey = tf.fill((50, *SHAPE), 0.5)
    drawn, again, other = (
        with_fresh_noise(grey, 0.1, seed).numpy() for seed in ([1, 2], [1, 2], [1, 3])
    )
    black = with_fresh_noise(tf.zeros_like(grey), 0.5, [1, 2]).numpy()

    assert drawn.std() == pytest.approx(0.1, rel=0.03)
    assert np.array_equal(drawn, again)
    assert not np.array_equal(drawn, other)
    assert black.min() == 0
    assert 0.9 < black.max() <= 1


def test_fresh_noise_is_another_in_every_step_and_epoch():
    """Equal images then give other losses, where weights that stand still give equal ones."""
    same = np.full((8, *SHAPE), 0.5, np.float32)
    still = {
        noise: Trainer(build_network(SHAPE, 0), 1e-12, 4, 0, "float32", noise)
        for noise in (None, 0.5)
    }
    losses = {
        noise: [
            trainer.train_epoch(same, same, np.arange(start, start + 4), epoch)
            for epoch, start in ((0, 0), (0, 4), (1, 0))
        ]
        for noise, trainer in still.items()
    }
    steps = still[0.5].train_epoch(same, same, np.arange(8), 0)

    assert len(set(losses[None])) == 1
    assert losses[0.5][0] == losses[0.5][1] != losses[0.5][2]
    assert steps != losses[0.5][0]


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


def test_a_last_step_that_went_too_far_is_seen_in_validation(images):
    """Its own loss was still that of the weights before it."""
    trainer = Trainer(build_network(SHAPE, seed=0), 1e10, 40, seed=0, precision="float32")
    trainer.train_epoch(images, images, np.arange(40), 0)

    with pytest.raises(DivergedError, match=r"validation loss became .*training\.learning_rate"):
        trainer.validate(images, images, np.arange(40))


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
