"""What is drawn anew for the images of every training step, within its graph.

All of it is stateless: what a step draws is a function of its seed, whatever was drawn before.
"""

import tensorflow as tf


def add_fresh_noise(
    images: tf.Tensor, noise_factor: float, seed: tf.Tensor, spread: float = 0
) -> tf.Tensor:
    """Add Gaussian noise within a graph, as `add_gaussian_noise` does outside of one.

    Args:
        images: float32 (n, height, width, channels) in [0, 1], of known shape.
        noise_factor: Standard deviation of the noise in units of the pixel range.
        seed: int32 (2,); equal seeds give equal noise.
        spread: If above 0, each image has a deviation of its own, drawn evenly from those that are
            no further than this from `noise_factor`, and not negative.

    Returns:
        float32 of the same shape, clipped to [0, 1].
    """
    if not spread:
        noise = tf.random.stateless_normal(images.shape, seed, stddev=noise_factor)
    else:
        levels = tf.random.stateless_uniform(
            (images.shape[0], 1, 1, 1), tf.random.experimental.stateless_fold_in(seed, 1),
            max(noise_factor - spread, 0), noise_factor + spread,
        )  # fmt: skip
        noise = levels * tf.random.stateless_normal(images.shape, seed)
    return tf.clip_by_value(images + noise, 0, 1)


def shift_images(images: tf.Tensor, most: int, seed: tf.Tensor) -> tf.Tensor:
    """Move each image by whole pixels; the pixels at its edge are repeated into the gap.

    Args:
        images: (n, height, width, channels), of known shape.
        most: Most pixels by which an image moves up, down, left or right; the two distances are
            drawn evenly, 0 included.
        seed: int32 (2,); equal seeds give equal shifts, so inputs and targets stay together.

    Returns:
        The same shape and dtype.
    """
    count, height, width, _ = images.shape
    # A stream apart from that of the noise
    seed = tf.random.experimental.stateless_fold_in(seed, 2)
    moves = tf.random.stateless_uniform((count, 2), seed, -most, most + 1, tf.int32)
    rows = tf.clip_by_value(tf.range(height) + moves[:, :1], 0, height - 1)  # (n, h)
    columns = tf.clip_by_value(tf.range(width) + moves[:, 1:], 0, width - 1)  # (n, w)
    moved = tf.gather(images, rows, axis=1, batch_dims=1)
    return tf.gather(moved, columns, axis=2, batch_dims=1)
