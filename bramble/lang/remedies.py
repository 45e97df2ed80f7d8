"""What to try next, for errors that the language itself finds and knows no remedy for."""

from __future__ import annotations

import re
from typing import Optional

from bramble.errors import nearest
from bramble.library import modules as library
from bramble.starlark import EvalError, StarlarkError
from bramble.starlark.advice import instead

# What a module is bound to when it is loaded → what to load.
_LIBRARY = {name.rpartition("/")[2]: name for name in library.MODULES}
_ADDED = ("derivation + string", "string + derivation")
# Names that people expect to find → what a `.bramble` file has for them.
_OF_THE_DIALECT = {
    "open": 'write read("file"), which returns the text of a source file',
    "glob": 'write files(["*.c"])',
    "struct": "keep data in a dict; functions of a module are its attributes when it is loaded",
    "rule": "write a function that returns derivation(…)",
    "genrule": "write a function that returns derivation(…)",
    "os": "a program sees nothing of the machine but sys.platform; a build has its env",
    "subprocess": "a program cannot run commands: a derivation does",
    "native": "write a function that returns derivation(…)",
    "select": 'write if sys.platform == "linux-amd64"',
}
_KEYWORD = re.compile(r'got an unexpected keyword argument "(.*)"$')


def remedy_of(error: StarlarkError) -> Optional[str]:
    """Return what an author may do about an error of the language, None if that is not known."""
    # spec: dialect.errors.remedy
    if error.code == "resolve.undefined":
        words = error.message.split()
        name = words[1] if len(words) > 1 else ""
        if name in _LIBRARY:
            return f'to use that module of the library, write load("{_LIBRARY[name]}") at the top of the file'
        return _OF_THE_DIALECT.get(name) or instead(error)
    if error.code == "eval.operand" and error.message.endswith(
        ("derivation + string", "string + derivation")
    ):
        return 'write d.out + "/bin/x", or "{}/bin/x".format(d)'
    word = _KEYWORD.search(error.message) if isinstance(error, EvalError) and error.parameters else None
    if word is None or not isinstance(error, EvalError):
        return instead(error)
    meant = nearest(word[1], error.parameters)
    return f"did you mean {meant}?" if meant else f"it has the parameters {', '.join(error.parameters)}"
