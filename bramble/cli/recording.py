"""Recording what a command has answered, so that it need not be found out again (see `invocation`)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Optional

from bramble.cli.invocation import NO_CACHE, answers_of, packed, question_of, run_packed
from bramble.cli.streams import heard
from bramble.recall.answers import keep
from bramble.recall.reads import Reads

DAY = 86400.0


class Recording:
    """One command: what it reads is noted in `reads`, and what it says is kept if it has changed nothing."""

    def __init__(self, words: Sequence[str], environ: Mapping[str, str]) -> None:
        self.reads = Reads(time.time_ns())
        self._words, self._environ = words, environ
        self._until: Optional[float] = None

    def changed_nothing(self, until: Optional[float] = None) -> None:
        """Say that all that the command does is to print, and that `reads` has what decides what it prints.

        It may be used until a time, in seconds since 1970 (None: for a day).
        """
        self._until = time.time() + DAY if until is None else until

    def keep_run(self, prepared: bytes, until: float) -> None:
        """Keep how a program is run, which is about to begin, until a time in seconds since 1970."""
        # spec: recall.run
        said = heard()
        if said is not None and not said[1]:
            self._keep(run_packed(said[0], prepared), until)

    def finish(self) -> None:
        """Keep the answer of a command that succeeded, if it changed nothing."""
        # spec: recall.record
        said = heard()
        if self._until is not None and said is not None:
            self._keep(packed(*said), self._until)

    def _keep(self, answer: bytes, until: float) -> None:
        if self.reads.doubt or NO_CACHE in self._words:
            return
        kept = answers_of(self._environ)
        question = question_of(self._words, self._environ)
        if kept is None or question is None:
            return
        self.reads.modules()
        keep(kept, question, self.reads, answer, time.time(), until)
