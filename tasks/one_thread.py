"""NumPy's linear algebra in one thread, so that its bytes do not depend on how many there are."""

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let matrix products and decompositions of NumPy and SciPy run in one thread.

    A sum that is split among threads is rounded otherwise for every number of them, and that number
    comes from `OPENBLAS_NUM_THREADS` and the machine. TensorFlow's own threads are a setting.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):
        yield
