"""Imported by the scripts of this folder before anything else, when they are run as scripts.

Python then looks for modules beside the script. Looking in the folder above instead makes a script
run the packages of its own checkout, wherever it is called from and whatever is installed.
"""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])
