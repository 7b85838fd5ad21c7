"""Convolutions with stride 2 as convolutions with stride 1, on pixels folded to depth.

A kernel of an even side 2m that moves by two pixels reads m by m squares of 2 x 2 pixels. With the
four pixels of a square as channels, it is a kernel of side m that moves by one; transposed, the
four pixels that it writes are channels of its output. Such convolutions are the library's fastest,
with 4 channels for one most of all. The function is the same, and so are the weights.
"""

import tensorflow as tf


def fold_pixels(images: tf.Tensor) -> tf.Tensor:
    """Make channels of the pixels of each 2 x 2 square: (n, 2h, 2w, c) to (n, h, w, 4c)."""
    _, height, width, channels = images.shape
    split = tf.reshape(images, (-1, height // 2, 2, width // 2, 2, channels))
    split = tf.transpose(split, (0, 1, 3, 2, 4, 5))  # (n, h, w, 2, 2, c)
    return tf.reshape(split, (-1, height // 2, width // 2, 4 * channels))


def unfold_pixels(images: tf.Tensor) -> tf.Tensor:
    """Undo `fold_pixels`: (n, h, w, 4c) to (n, 2h, 2w, c)."""
    _, height, width, channels = images.shape
    split = tf.reshape(images, (-1, height, width, 2, 2, channels // 4))
    split = tf.transpose(split, (0, 1, 3, 2, 4, 5))  # (n, h, 2, w, 2, c)
    return tf.reshape(split, (-1, 2 * height, 2 * width, channels // 4))


def folded_kernel(kernel: tf.Tensor) -> tf.Tensor:
    """Return the kernel that reads folded pixels.

    Args:
        kernel: (2m, 2m, i, o), of a convolution with stride 2.

    Returns:
        (m, m, 4i, o), of the convolution with stride 1.
    """
    side, _, inputs, outputs = kernel.shape
    half = side // 2
    split = tf.reshape(kernel, (half, 2, half, 2, inputs, outputs))
    split = tf.transpose(split, (0, 2, 1, 3, 4, 5))  # (m, m, 2, 2, i, o)
    return tf.reshape(split, (half, half, 4 * inputs, outputs))


def unfolding_kernel(kernel: tf.Tensor) -> tf.Tensor:
    """Return the kernel that writes folded pixels.

    Args:
        kernel: (2m, 2m, o, i), of a transposed convolution with stride 2.

    Returns:
        (m, m, i, 4o), of the convolution with stride 1.
    """
    side, _, outputs, inputs = kernel.shape
    half = side // 2
    split = tf.reshape(kernel, (half, 2, half, 2, outputs, inputs))
    # Transposed, what is added to a pixel before comes from the place behind
    split = tf.reverse(split, (0, 2))
    split = tf.transpose(split, (0, 2, 5, 1, 3, 4))  # (m, m, i, 2, 2, o)
    return tf.reshape(split, (half, half, inputs, 4 * outputs))
