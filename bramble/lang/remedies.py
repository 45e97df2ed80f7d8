"""What to try next, for errors that the language itself finds and knows no remedy for."""

from __future__ import annotations

import re
from typing import Optional

from bramble.errors import nearest
from bramble.library import modules as library
from bramble.starlark import EvalError, StarlarkError

# What a module is bound to when it is loaded → what to load.
_LIBRARY = {name.rpartition("/")[2]: name for name in library.MODULES}
_ADDED = ("derivation + string", "string + derivation")
_KEYWORD = re.compile(r'got an unexpected keyword argument "(.*)"$')


def remedy_of(error: StarlarkError) -> Optional[str]:
    """Return what an author may do about an error of the language, None if that is not known."""
    # spec: dialect.errors.remedy
    if error.code == "resolve.undefined":
        words = error.message.split()
        module = _LIBRARY.get(words[1]) if len(words) > 1 else None
        return module and f'to use that module of the library, write load("{module}") at the top of the file'
    if error.code == "eval.operand" and error.message.endswith(
        ("derivation + string", "string + derivation")
    ):
        return 'write d.out + "/bin/x", or "{}/bin/x".format(d)'
    word = _KEYWORD.search(error.message) if isinstance(error, EvalError) and error.parameters else None
    if word is None or not isinstance(error, EvalError):
        return None
    meant = nearest(word[1], error.parameters)
    return f"did you mean {meant}?" if meant else f"it has the parameters {', '.join(error.parameters)}"
