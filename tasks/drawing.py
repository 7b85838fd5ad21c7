"""How matplotlib is set up; part of the keys of the stages that draw, which reach this module."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from autoencoders.errors import PipelineError


@contextlib.contextmanager
def drawing_defaults() -> Iterator[None]:
    """Draw as matplotlib does out of the box, whatever a `matplotlibrc` or a variable says.

    Raises:
        PipelineError: If matplotlib cannot be imported because of such a file.
    """
    os.environ["MPLBACKEND"] = "agg"
    os.environ.pop("FREETYPE_PROPERTIES", None)  # how FreeType draws outlines
    try:
        import matplotlib
        from matplotlib import font_manager
    except (ValueError, UnicodeError, OSError) as error:
        raise PipelineError(
            f"matplotlib cannot read its configuration: {error}.",
            "Look for a file called matplotlibrc in the current folder, in ~/.config/matplotlib, "
            "or where MATPLOTLIBRC points, and remove it.",
        ) from error
    own = str(Path(matplotlib.get_data_path()))
    fonts = font_manager.fontManager
    every = fonts.ttflist
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        # A font of the same name that the system has may be another version
        fonts.ttflist = [font for font in every if font.fname.startswith(own)]
        try:
            yield
        finally:
            fonts.ttflist = every
