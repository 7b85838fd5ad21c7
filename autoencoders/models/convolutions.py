"""A convolution and a bias, with gradients that are cheaper or more exact than the library's.

The gradient with respect to the kernel is itself a convolution: of the images with the upstream
gradient as its kernel, images and channels swapped. Where images are small, this runs faster than
the library's own form. `docs/speed.md` has the figures.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

# Decorates a function that returns its value and the function of its gradients; TensorFlow's
# decorator has no type
with_gradient: Callable[[Callable[..., Any]], Callable[..., Any]] = tf.custom_gradient

SMALL_AREA = 64
"""Pixels of an image up to which the gradient with respect to the kernel runs as a convolution."""
BLOCK = 16
"""Images that a batch must be a multiple of for that: they become channels, of which the processor
takes 16 at a time."""


@with_gradient
def convolve(images: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Any]:
    """Convolve with stride 1 and a border of zeros.

    Args:
        images: (n, h, w, i).
        kernel: (k, k, i, o) of an odd side k, same dtype.

    Returns:
        (n, h, w, o), and the function of its gradients.
    """

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        grad_images = tf.raw_ops.Conv2DBackpropInput(
            input_sizes=tf.shape(images), filter=kernel, out_backprop=upstream,
            strides=[1, 1, 1, 1], padding="SAME",
        )  # fmt: skip
        if kernel.shape[0] == 3 and correlates_faster(images):
            grad_kernel = correlate(images, upstream, dilation=1)  # (3, 3, i, o)
        else:
            grad_kernel = tf.raw_ops.Conv2DBackpropFilter(
                input=images, filter_sizes=kernel.shape, out_backprop=upstream,
                strides=[1, 1, 1, 1], padding="SAME",
            )  # fmt: skip
        return grad_images, grad_kernel

    return tf.nn.conv2d(images, kernel, 1, "SAME"), gradient


@with_gradient
def add_bias(images: tf.Tensor, bias: tf.Tensor) -> tuple[tf.Tensor, Any]:
    """Add a bias whose gradient is accumulated in float32, also where images are bfloat16.

    Args:
        images: (n, h, w, o).
        bias: (o,), same dtype.

    Returns:
        (n, h, w, o), and the function of its gradients.
    """

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # TensorFlow's own sum accumulates in bfloat16 and is off by up to a third; a matrix
        # product with ones accumulates in float32
        pixels = tf.reshape(upstream, (-1, upstream.shape[3]))  # (n h w, o)
        ones = tf.ones((1, tf.shape(pixels)[0]), upstream.dtype)
        return upstream, tf.reshape(tf.matmul(ones, pixels), bias.shape)

    return tf.nn.bias_add(images, bias), gradient


def correlate(large: tf.Tensor, small: tf.Tensor, dilation: int) -> tf.Tensor:
    """Correlate two stacks of maps over images and pixels: the gradient of a kernel.

    With a border of one zero around `large`, entry (t, s) is the sum over n, y, x of
    large[n, dilation y + t - 1, dilation x + s - 1] small[n, y, x].

    Args:
        large: (n, dilation h, dilation w, a).
        small: (n, h, w, b), same dtype.
        dilation: 1, or 2 for a convolution with stride 2.

    Returns:
        (k, k, a, b), with k = 3 for dilation 1 and k = 4 for dilation 2.
    """
    # To sum over the images, the convolution takes them for its channels, and the channels `a`
    # for its images
    around = tf.pad(tf.transpose(large, (3, 1, 2, 0)), [[0, 0], [1, 1], [1, 1], [0, 0]])
    kernel = tf.transpose(small, (1, 2, 0, 3))  # (h, w, n, b)
    found = tf.nn.conv2d(around, kernel, 1, "VALID", dilations=dilation)  # (a, k, k, b)
    return tf.transpose(found, (1, 2, 0, 3))


def correlates_faster(images: tf.Tensor) -> bool:
    """Return whether `correlate` over these images is faster than the library's kernel gradient.

    Measured on CPUs only; a GPU's libraries have a better form of their own.
    """
    count, height, width, _ = images.shape
    return bool(
        images.dtype == tf.bfloat16
        and not tf.config.list_physical_devices("GPU")
        and count is not None and count % BLOCK == 0
        and height * width <= SMALL_AREA
    )  # fmt: skip
