"""What `python3 FILE` runs: the one file once more, from its beginning, with the same interpreter.

It stands in the archive as `__main__.py`, and is read by any Python.
"""

import os
import sys

os.environ["BRAMBLE_PYTHON"] = sys.executable
os.execv("/bin/sh", ["sh", os.path.abspath(sys.argv[0])] + sys.argv[1:])
