"""What is wrong with a file of the user."""

import contextlib
import errno
from collections.abc import Callable, Iterator

from autoencoders.errors import PipelineError


class DataError(PipelineError):
    """A file of the user is not what it should be.

    The problem names the file, where it can the row and column, what was expected and what arrived;
    the advice is the one step that works for this file. Settings are written as options of the
    command line (`--image.height 8`).
    """


@contextlib.contextmanager
def refusing_damage(
    refusal: Callable[[Exception], DataError], *kinds: type[Exception]
) -> Iterator[None]:
    """Refuse the file that a library finds damaged within the block.

    Args:
        refusal: Puts an error of the library in words.
        *kinds: What it raises then, beside an OSError without a number, or one because it went
            where no file is. Any other OSError is the disk's, which may answer another time.

    Raises:
        DataError: If it is damaged.
    """
    try:
        yield
    except kinds as error:
        raise refusal(error) from error
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):
            raise
        raise refusal(error) from error
