"""What `python3 FILE` runs: the one file once more, from its beginning, with the same interpreter.

It is `__main__.py` in the archive, and is read by any Python.
"""

import os
import sys

os.environ["BRAMBLE_PYTHON"] = sys.executable
os.execv("/bin/sh", ["sh", os.path.abspath(sys.argv[0])] + sys.argv[1:])
