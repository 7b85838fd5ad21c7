"""Numbers from 0 to 255 as text."""

import numpy as np
import pytest

from autoencoders.images.byte_text import parse_bytes


@pytest.mark.parametrize("width", [1, 3, 784])
def test_it_reads_what_was_written(width):
    """Numbers of one, two and three digits, in any mixture."""
    values = np.random.default_rng(0).integers(0, 256, (50, width), dtype=np.uint8)
    values[:3] = [[0], [99], [255]]
    text = "".join(",".join(map(str, row)) + "\n" for row in values.tolist())
    found = parse_bytes(text.encode(), width)

    assert found.dtype == np.uint8
    assert np.array_equal(found, values)


def test_every_byte_is_read_at_the_beginning_and_behind_others():
    """The first number has no separator before it."""
    for value in range(256):
        assert parse_bytes(f"{value},7\n8,{value}\n".encode(), 2).tolist() == [
            [value, 7],
            [8, value],
        ]
    assert parse_bytes(b"007,07\n", 2).tolist() == [[7, 7]]


@pytest.mark.parametrize(
    "text",
    [
        b"", b"\n", b"1,2", b"1,2,3\n", b"1\n", b"1,2\n3\n", b"1,2\n\n3,4\n",
        b"1,256\n", b"300,1\n",
        b"1,999\n", b"1,0255\n", b"1,-2\n", b"1,+2\n", b"1, 2\n", b"1;2\n", b'"1",2\n', b"1,2.0\n",
        b"1,\n", b",1\n", b"1,2\r\n", b"\xef\xbb\xbf1,2\n", b"1,x\n", b"1\n2,",
        b"1,2,3,4\n5,6\n7,8\n", b",\n1,2\n", b"1111,2\n", b"1,2\n3,1" + b"0" * 255 + b"\n",
    ],
)  # fmt: skip
def test_anything_else_is_left_to_a_csv_reader(text):
    """That one says what is wrong, or knows the dialect."""
    assert parse_bytes(text, 2) is None
