"""Whether the tools work: each trial runs in a sandbox that shows the outputs and nothing else."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Callable

from bramble.build.builtin import Request
from bramble.build.tools.contents import Trial
from bramble.build.verdict import EXITED
from bramble.errors import BrambleError
from bramble.store.files.small import make_way

_SHOWN = 4000  # bytes of what a trial that failed has written

# What a shell says of a program that it does not find.
_NOT_FOUND = re.compile(r": ([A-Za-z0-9][A-Za-z0-9_.+-]*): (?:command )?not found$", re.MULTILINE)

# In the weaker sandboxes the outputs can be written to.
_ENV = {"LC_ALL": "C", "PYTHONDONTWRITEBYTECODE": "1"}


def try_out(request: Request, trials: Sequence[Trial], filled: Callable[[str], str]) -> None:
    """Run the trials in order. Raises build.host-tool-broken for the first that fails."""
    # spec: build.host-tools.trials
    for trial in trials:
        _write_files(request.scratch, {name: filled(text) for name, text in trial.files.items()})
        argv = tuple(map(filled, trial.argv))
        env = {**_ENV, "PATH": filled("{out}/bin"), **{k: filled(v) for k, v in trial.env.items()}}
        problem, said = request.run(argv, env, None)
        if trial.unless and problem.startswith(EXITED) and re.search(trial.unless, said):
            continue
        if problem or trial.says not in said:
            what = problem or f"did not say {trial.says!r}"
            shown = said[-_SHOWN:].strip()
            absent = sorted(set(_NOT_FOUND.findall(said)))
            remedy = f"name what it calls in tools too: {' '.join(absent)}" if absent else trial.remedy
            raise BrambleError(
                "build.host-tool-broken",
                f'"{request.name}": {os.path.basename(argv[0])} does not work from the store; '
                f"tried to {trial.about}: {what}",
                remedy=remedy or "remove it from tools, or install what it lacks",
                detail=shown,
            )


def _write_files(directory: str, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        make_way(directory, os.path.dirname(name))
        with open(f"{directory}/{name}", "w", encoding="utf-8") as out:
            os.fchmod(out.fileno(), 0o644)
            out.write(text)
