"""Training: its steps, its randomness, resuming it, and how it fails."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from autoencoders.errors import DivergedError, PipelineError
from autoencoders.models.augmentation import add_fresh_noise, shift_images
from autoencoders.models.network import build_network
from autoencoders.models.optimisers import make_optimizer
from autoencoders.models.residual import build_residual
from autoencoders.models.training import Trainer
from autoencoders.models.validation import split_validation
from autoencoders.models.weight_average import WeightAverage
from autoencoders.settings import ResidualSettings, ResolvedTraining

SHAPE = (8, 8, 1)


def make_trainer(shape=SHAPE, network_seed=0, learning_rate=0.001, **options):
    """A trainer of a new reference network, in float32 unless the options say otherwise."""
    defaults = {"batch_size": 8, "seed": 0, "precision": "float32"}
    optimizer = keras.optimizers.RMSprop(learning_rate)
    return Trainer(build_network(shape, network_seed), optimizer, **defaults | options)


def make_unet_trainer(network_seed, precision, **training):
    """A trainer of a small U-Net in which places are mixed."""
    sizes = ResidualSettings(width=3, inner_width=5, mixing=True)
    settings = ResolvedTraining(precision=precision, threads=1, **training)
    return Trainer(
        build_residual(SHAPE, network_seed, sizes, skip=True), make_optimizer(settings, steps=12),
        batch_size=8, seed=0, precision=precision, noise_factor=0.5, noise_spread=0.4,
        shift=1, averaging=0.9,
    )  # fmt: skip


@pytest.fixture
def images():
    """Forty random images."""
    return np.random.default_rng(0).random((40, *SHAPE), dtype=np.float32)


@pytest.mark.parametrize("shape", [SHAPE, (7, 5, 1), (10, 9, 3)])
def test_one_step_is_that_of_keras_fit(shape):
    """RMSprop with Keras's defaults on the mean squared error, checked against `fit` itself.

    Where the network pads, neither counts the border.
    """
    images = np.random.default_rng(0).random((40, *shape), dtype=np.float32)
    ours, theirs = make_trainer(shape, batch_size=40), build_network(shape, seed=0)
    ours.train_epoch(images, images, np.arange(40), 0)
    theirs.compile("rmsprop", "mse")
    theirs.fit(images, images, batch_size=40, epochs=1, shuffle=False, verbose=0)

    for a, b in zip(ours.network.get_weights(), theirs.get_weights(), strict=True):
        assert np.allclose(a, b, atol=1e-5)


@pytest.mark.parametrize(
    ("precision", "batch_size", "noise_factor"),
    [("float32", 7, None), ("bfloat16", 16, None), ("float32", 8, 0.5)],
)
@pytest.mark.parametrize("sides", [(8, 8), (7, 5)])
def test_training_resumes_as_if_it_had_never_stopped(
    images, sides, precision, batch_size, noise_factor
):
    """The state holds weights and optimiser; order and noise of an epoch need no memory."""
    images = images[:, : sides[0], : sides[1]]
    fit, held_out = split_validation(40, 0.2, seed=0)
    options = {"precision": precision, "batch_size": batch_size, "noise_factor": noise_factor}
    straight, stopped, resumed = (
        make_trainer((*sides, 1), network_seed=n, **options) for n in (0, 0, 5)
    )
    losses = [straight.train_epoch(images, images, fit, epoch) for epoch in range(3)]
    stopped.train_epoch(images, images, fit, 0)
    resumed.restore(stopped.state())

    assert [resumed.train_epoch(images, images, fit, epoch) for epoch in (1, 2)] == losses[1:]
    assert resumed.validate(images, images, held_out) == straight.validate(images, images, held_out)
    for name, value in straight.state().items():
        assert np.array_equal(value, resumed.state()[name]), name


@pytest.mark.parametrize(
    ("optimizer", "schedule", "precision"),
    [pytest.param("rmsprop", "cosine", "float32", marks=pytest.mark.long),
     pytest.param("adamw", "linear", "float32", marks=pytest.mark.slow),
     ("muon", "linear", "float32"),
     pytest.param("muon", "constant", "bfloat16", marks=pytest.mark.long)],
)  # fmt: skip
def test_every_optimiser_resumes_as_if_it_had_never_stopped(images, optimizer, schedule, precision):
    """Its moments and its place in the schedule are part of the state."""
    options = {"optimizer": optimizer, "schedule": schedule, "warmup": 0.3, "weight_decay": 0.1}
    straight, stopped, resumed = (
        make_unet_trainer(seed, precision, **options) for seed in (0, 0, 5)
    )
    order = np.arange(24)
    losses = [straight.train_epoch(images, images, order, epoch) for epoch in range(3)]
    stopped.train_epoch(images, images, order, 0)
    resumed.restore(stopped.state())

    assert [resumed.train_epoch(images, images, order, epoch) for epoch in (1, 2)] == losses[1:]
    for name, value in straight.state().items():
        assert np.array_equal(value, resumed.state()[name]), name


def test_an_epoch_can_end_early(images):
    """As for a length in steps: it takes the first images of its order."""
    whole, short = make_trainer(), make_trainer()
    whole.train_epoch(images, images, np.arange(40), 0)
    before = short.train_epoch(images, images, np.arange(40), 0, steps=2)

    assert int(whole.optimizer.iterations) == 5
    assert int(short.optimizer.iterations) == 2
    assert before > 0


def test_a_shift_moves_each_image_and_repeats_its_edge():
    """Up to the given distance in each direction; inputs and targets move together."""
    rows, columns = np.meshgrid(np.arange(6), np.arange(9), indexing="ij")
    image = np.stack([rows, columns], axis=2).astype(np.float32)  # each pixel says where it was
    images = np.repeat(image[None], 200, axis=0)
    moved, again = (shift_images(tf.constant(images), 2, [1, 2]).numpy() for _ in range(2))
    moves = moved[:, 3, 4] - (3, 4)  # (n, 2)

    assert np.array_equal(moved, again)
    assert not np.array_equal(moved, shift_images(tf.constant(images), 2, [1, 3]).numpy())
    assert {tuple(move) for move in moves} == {(y, x) for y in range(-2, 3) for x in range(-2, 3)}
    for one, (down, right) in zip(moved, moves, strict=True):
        assert np.array_equal(one[..., 0], np.clip(rows + down, 0, 5))
        assert np.array_equal(one[..., 1], np.clip(columns + right, 0, 8))


def test_shifts_differ_from_step_to_step(images):
    """Weights that stand still give equal images equal losses, unless they are moved apart."""
    trainer = make_trainer(learning_rate=1e-12, batch_size=4, shift=2)
    same = np.repeat(images[:1], 8, axis=0)
    losses = [trainer.train_epoch(same, same, np.arange(count), 0) for count in (4, 4, 8)]

    assert losses[0] == losses[1] != losses[2]


def test_inputs_and_targets_are_shifted_together(images):
    """A network that returns what it gets is right about every pixel, wherever it is moved."""
    copy = keras.layers.Conv2D(1, 3, padding="same", kernel_initializer=identity_kernel)
    identity = keras.Sequential([keras.Input(SHAPE), copy])
    trainer = Trainer(
        identity, keras.optimizers.RMSprop(), batch_size=40, seed=0, precision="float32", shift=2
    )

    assert trainer.train_epoch(images, images.copy(), np.arange(40), 0) == 0
    assert trainer.train_epoch(images, np.roll(images, 1, axis=1), np.arange(40), 0) > 0


def identity_kernel(shape, dtype):
    """A kernel that copies the pixel in its middle."""
    kernel = np.zeros(shape, dtype)
    kernel[1, 1] = 1
    return kernel


def test_the_average_of_the_weights_follows_its_formula():
    """An exponential moving average, which forgets the initial weights within few steps."""
    value = keras.Variable([8.0])
    average = WeightAverage([value], decay=0.5)
    expected = 8.0
    for step, weight in enumerate((2.0, 4.0, -6.0, 1.0), start=1):
        value.assign([weight])
        average.update(tf.constant(step))
        keep = min(0.5, (1 + step) / (10 + step))
        expected = keep * expected + (1 - keep) * weight

    with average.in_place():
        assert np.array(value) == pytest.approx([expected])
    assert np.array_equal(value, [1.0])


def test_averaged_weights_are_validated_and_returned_while_training_goes_on(images):
    """The trained weights stay what they would be without an average."""
    plain, averaged = make_trainer(), make_trainer(averaging=0.9)
    for trainer in (plain, averaged):
        trainer.train_epoch(images, images, np.arange(40), 0)
    losses = [trainer.validate(images, images, np.arange(40)) for trainer in (plain, averaged)]
    states = [trainer.state() for trainer in (plain, averaged)]
    averaged.restore({**averaged.state(), **averaged.weights()})

    assert all(np.array_equal(value, states[1][name]) for name, value in states[0].items())
    assert losses[0] != losses[1]
    assert np.array_equal(averaged.weights()["network-0"], averaged.state()["average-0"])
    assert averaged.state().keys() == states[1].keys()


def test_noise_with_a_spread_has_a_strength_per_image():
    """Drawn evenly from the range around the factor, which ends at 0."""
    grey = tf.fill((400, *SHAPE), 0.5)
    drawn, again = (add_fresh_noise(grey, 0.08, [1, 2], spread=0.05).numpy() for _ in range(2))
    strengths = drawn.std(axis=(1, 2, 3))
    from_zero = add_fresh_noise(grey, 0.02, [1, 2], spread=0.1).numpy().std(axis=(1, 2, 3))

    assert np.array_equal(drawn, again)
    assert strengths.mean() == pytest.approx(0.08, abs=0.005)
    assert 0.02 < strengths.min() < 0.04
    assert 0.12 < strengths.max() < 0.16
    assert strengths.std() == pytest.approx(0.1 / 12**0.5, rel=0.15)
    assert from_zero.min() < 0.003
    assert from_zero.mean() == pytest.approx(0.06, abs=0.01)


def test_fresh_noise_has_the_requested_deviation_and_stays_in_range():
    """Grey shows its size, black that it is clipped; equal seeds give equal noise."""
    grey = tf.fill((50, *SHAPE), 0.5)
    drawn, again, other = (
        add_fresh_noise(grey, 0.1, seed).numpy() for seed in ([1, 2], [1, 2], [1, 3])
    )
    black = add_fresh_noise(tf.zeros_like(grey), 0.5, [1, 2]).numpy()

    assert drawn.std() == pytest.approx(0.1, rel=0.03)
    assert np.array_equal(drawn, again)
    assert not np.array_equal(drawn, other)
    assert black.min() == 0
    assert 0.9 < black.max() <= 1


def test_fresh_noise_differs_from_step_to_step_and_from_epoch_to_epoch():
    """Weights that stand still give equal images equal losses, unless their noise differs."""
    same = np.full((8, *SHAPE), 0.5, np.float32)
    still = {
        noise_factor: make_trainer(learning_rate=1e-12, batch_size=4, noise_factor=noise_factor)
        for noise_factor in (None, 0.5)
    }
    losses = {
        noise_factor: [
            trainer.train_epoch(same, same, np.arange(start, start + 4), epoch)
            for epoch, start in ((0, 0), (0, 4), (1, 0))
        ]
        for noise_factor, trainer in still.items()
    }
    two_steps = still[0.5].train_epoch(same, same, np.arange(8), 0)

    assert len(set(losses[None])) == 1
    assert losses[0.5][0] == losses[0.5][1] != losses[0.5][2]
    assert two_steps != losses[0.5][0]


def test_a_state_of_another_network_is_refused():
    """A checkpoint of 8 x 8 x 3 must not be squeezed into 8 x 8 x 1."""
    with pytest.raises(ValueError, match="another network"):
        make_trainer().restore(make_trainer(shape=(8, 8, 3)).state())


def test_training_learns(images):
    """After some epochs the loss is less than half of the first."""
    smooth = np.repeat(np.repeat(images[:, :2, :2], 4, axis=1), 4, axis=2)
    trainer = make_trainer()
    losses = [trainer.train_epoch(smooth, smooth, np.arange(40), epoch) for epoch in range(20)]

    assert losses[-1] < losses[0] / 2


def test_a_loss_that_is_not_finite_stops_training(images):
    """The error names the epoch and the step, and advises which option to try."""
    images[3] = np.nan

    with pytest.raises(DivergedError) as caught:
        make_trainer().train_epoch(images, images, np.arange(40), 0)
    assert "epoch 1, step " in caught.value.problem
    assert "training.learning_rate" in caught.value.advice


def test_a_last_step_that_went_too_far_is_seen_in_validation(images):
    """Its own loss was still that of the weights before it."""
    trainer = make_trainer(learning_rate=1e10, batch_size=40)
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


@pytest.mark.parametrize(
    ("count", "fraction", "sides", "advice"),
    [
        (1, 0.5, "1 image, .* leave 1 to train on and 0 to validate on", "two are the fewest"),
        (2, 0.2, "2 images, .* leave 2 to train on and 0 to validate on", "fraction to 0.5"),
        (2, 0.8, "leave 0 to train on and 2 to validate on", "fraction to 0.5"),
        (6000, 1e-5, "6,000 images, .* of 1e-05, leave 6,000 to train on and 0", "fraction to 0.5"),
    ],
)
def test_a_split_with_an_empty_side_is_refused(count, fraction, sides, advice):
    """Validation on no image has no loss; what is advised works."""
    with pytest.raises(PipelineError, match=sides) as caught:
        split_validation(count, fraction, seed=0)
    assert advice in caught.value.advice


def test_two_images_can_be_split_in_halves():
    """The fewest with which anything can be trained."""
    assert [len(side) for side in split_validation(2, 0.5, seed=0)] == [1, 1]


def test_the_weights_are_the_part_of_the_state_that_is_the_network(images):
    """Kept of the best epoch and set again, they leave the optimiser as it is."""
    trainer = make_trainer()
    before = trainer.weights()
    trainer.train_epoch(images, images, np.arange(40), 0)
    after = trainer.state()
    trainer.restore({**after, **before})

    assert all(np.array_equal(value, before[name]) for name, value in trainer.weights().items())
    assert not np.array_equal(before["network-0"], after["network-0"])
    assert np.array_equal(trainer.state()["optimizer-3"], after["optimizer-3"])
