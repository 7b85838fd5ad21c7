"""Imported by the scripts of this folder before anything else, when they are run as scripts.

Python then looks for modules beside the script. Looking in the folder above instead makes a script
run the packages of its own checkout, wherever it is called from and whatever is installed.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])
# A process that the script starts imports it again, as the module that it is: beside it, it would
# not find this one
_main = sys.modules["__main__"]
_main.__spec__ = find_spec(f"flows.{Path(str(_main.__file__)).stem}")
