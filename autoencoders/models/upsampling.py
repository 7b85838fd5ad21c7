"""Upsampling by 2 (nearest) followed by a 3x3 convolution, folded into one operation.

Of the nine products that make one output pixel, several read the same small pixel. Adding up
their weights first leaves four products, and no enlarged image is ever made. In one dimension,
with kernel rows w0 w1 w2, output rows 2i and 2i + 1 read:

    small image           i - 1    |      i      |    i + 1
    upsampled         2i-2   2i-1  |  2i   2i+1  |  2i+2   2i+3
    output 2i                 w0   |  w1    w2   |                  w0 * [i-1] + (w1+w2) * [i]
    output 2i + 1                  |  w0    w1   |   w2             (w0+w1) * [i] + w2 * [i+1]

So there are four taps per dimension: which of the two outputs it is for (its phase), times which
of two small pixels it reads. This is a transposed convolution with a 4x4 kernel and stride 2, whose
kernel is a fixed linear map of the 3x3 one:

    tap          0       1       2       3
    weight       w2    w1+w2   w0+w1    w0
    for output  2i+1    2i     2i+1     2i
    reads       i+1      i       i     i-1

`upsample_convolve` runs it as the library's transposed convolution, `upsample_convolve_by_product`
as one matrix product for all 16 taps and a sum of shifted maps, cheaper where output channels are
few.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from autoencoders.models.convolutions import correlate, correlates_faster, with_gradient

TAPS = {0: ((0, 3), (1, 1)), 1: ((1, 2), (2, 0))}
"""Output phase -> (shift, tap), twice. The shift is the place of the small pixel that is read, in
a map with a border of one zero: 0 is the pixel before, 1 the pixel itself, 2 the one after."""

_PHASE_AND_SHIFT = {
    tap: (phase, shift) for phase, reads in TAPS.items() for shift, tap in reads
}  # the same table, by tap

# A border of one zero around the last two dimensions, height and width
_BORDER = [[0, 0], [0, 0], [0, 0], [0, 0], [1, 1], [1, 1]]

# Row `row` of the kernel reads upsampled pixel 2i + phase + row - 1, which comes from small pixel
# i + (phase + row - 1) // 2; it adds to the tap that reads this one
_FOLD = np.array(
    [
        [1 + (phase + row - 1) // 2 == shift for row in range(3)]
        for _, (phase, shift) in sorted(_PHASE_AND_SHIFT.items())
    ],
    np.float32,
)  # (4, 3): tap x row of the kernel


def fold_kernel(kernel: tf.Tensor) -> tf.Tensor:
    """Fold the kernel of a 3x3 convolution into that of the transposed 4x4 one.

    Args:
        kernel: float32 (3, 3, i, o).

    Returns:
        float32 (4, 4, o, i), the layout of transposed convolutions.
    """
    _, _, inputs, outputs = kernel.shape
    # Both dimensions at once: (16, 9) x (9, i o)
    taps = tf.matmul(np.kron(_FOLD, _FOLD), tf.reshape(kernel, (9, inputs * outputs)))
    return tf.transpose(tf.reshape(taps, (4, 4, inputs, outputs)), (0, 1, 3, 2))


@with_gradient
def upsample_convolve(images: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Any]:
    """Upsample and convolve with a kernel that `fold_kernel` returned.

    Args:
        images: (n, h, w, i).
        kernel: (4, 4, o, i), same dtype.

    Returns:
        (n, 2h, 2w, o), and the function of its gradients.
    """
    _, height, width, _ = images.shape
    shape = (tf.shape(images)[0], 2 * height, 2 * width, kernel.shape[2])

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # The gradient of a transposed convolution is the plain one with the same kernel
        grad_images = tf.nn.conv2d(upstream, kernel, 2, "SAME")  # (n, h, w, i)
        if correlates_faster(images):
            grad_kernel = correlate(upstream, images, dilation=2)  # (4, 4, o, i)
        else:
            # Images and upstream gradient swap their roles
            grad_kernel = tf.raw_ops.Conv2DBackpropFilter(
                input=upstream, filter_sizes=kernel.shape, out_backprop=images,
                strides=[1, 2, 2, 1], padding="SAME",
            )  # fmt: skip
        return grad_images, grad_kernel

    return tf.nn.conv2d_transpose(images, kernel, shape, 2, "SAME"), gradient


def upsample_convolve_by_product(images: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Upsample and convolve: the products of all taps at once, then their sums.

    Args:
        images: float32 (n, h, w, i).
        kernel: float32 (3, 3, i, o), not folded.

    Returns:
        float32 (n, 2h, 2w, o).
    """
    _, height, width, inputs = images.shape
    outputs = kernel.shape[3]
    taps = tf.reshape(fold_kernel(kernel), (16 * outputs, inputs))
    # A convolution with few output channels leaves most of the processor's vectors empty;
    # 16 times as many columns fill them
    products = tf.matmul(tf.reshape(images, (-1, inputs)), taps, transpose_b=True)  # (n h w, 16 o)
    return _sum_taps(tf.reshape(products, (-1, height, width, 4, 4, outputs)))


@with_gradient
def _sum_taps(maps: tf.Tensor) -> tuple[tf.Tensor, Any]:
    """Sum the taps (n, h, w, 4, 4, o) into the output pixels (n, 2h, 2w, o) they are for."""
    _, height, width, _, _, outputs = maps.shape
    # Taps in front, so that a shifted map is one slice
    by_tap = tf.transpose(maps, (3, 4, 5, 0, 1, 2))  # (4, 4, o, n, h, w)
    by_tap = tf.pad(by_tap, _BORDER)  # (4, 4, o, n, h + 2, w + 2)
    phases = [
        [
            tf.add_n([  # (o, n, h, w)
                by_tap[t, s, :, :, down : down + height, right : right + width]
                for down, t in TAPS[p]
                for right, s in TAPS[q]
            ])
            for q in TAPS
        ]
        for p in TAPS
    ]  # fmt: skip
    placed = tf.stack([tf.stack(row) for row in phases])  # (2, 2, o, n, h, w)
    # The phases of a pixel side by side, (n, h, 2, w, 2, o), then read as one dimension each
    output = tf.reshape(
        tf.transpose(placed, (3, 4, 0, 5, 1, 2)), (-1, 2 * height, 2 * width, outputs)
    )
    return output, lambda upstream: _spread_to_taps(upstream, height, width, outputs)


def _spread_to_taps(upstream: tf.Tensor, height: int, width: int, outputs: int) -> tf.Tensor:
    """Undo `_sum_taps` for gradients: from (n, 2h, 2w, o) back to (n, h, w, 4, 4, o)."""
    split = tf.reshape(upstream, (-1, height, 2, width, 2, outputs))
    split = tf.transpose(split, (2, 4, 5, 0, 1, 3))  # (2, 2, o, n, h, w)
    split = tf.pad(split, _BORDER)  # (2, 2, o, n, h + 2, w + 2)
    rows = []
    for t in range(4):
        row = []
        for s in range(4):
            (p, down), (q, right) = _PHASE_AND_SHIFT[t], _PHASE_AND_SHIFT[s]
            # Backwards, the shift is the opposite one: the output that reads the pixel before it
            # (0) is, seen from that pixel, the one after (2)
            up, left = 2 - down, 2 - right
            row.append(split[p, q, :, :, up : up + height, left : left + width])  # (o, n, h, w)
        rows.append(tf.stack(row))
    return tf.transpose(tf.stack(rows), (3, 4, 5, 0, 1, 2))
