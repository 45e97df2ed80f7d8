"""`bramble why-built TARGET`: what was another one than before, from what is recorded of the builds."""

from __future__ import annotations

from typing import Optional

from bramble.build.fetch.discretion import scrub
from bramble.commands.context.recorded import Attempt, Recorded, not_recorded, open_recorded
from bramble.commands.context.setting import Setting
from bramble.errors import BrambleError
from bramble.record import NamedTuple
from bramble.store.history.changes import Change, Reason, reasons
from bramble.store.history.model import Build, Ended, Facts

__all__ = ["Answer", "Build", "Change", "Ended", "Reason", "why_built", "without_secrets"]


class Answer(NamedTuple):
    """Why one derivation was last built.

    `ended` is how that build of it ended. `before` is the build with which it is compared; None if
    there is no earlier build of it, and then `reasons` is empty. The first reason is its own, the others are
    of what it needs, each before its inputs.
    """

    facts: Facts
    build: Build
    ended: Ended
    before: Optional[Build]
    reasons: tuple[Reason, ...]


def why_built(word: str, of: str, setting: Setting) -> list[Answer]:
    """Return why what a target returned was last built; with `of` something that it needs, by its name.

    Raises BrambleError history.not-built, history.unknown-derivation, and those of `open_recorded`.
    """
    # spec: cli.why-built
    recorded = open_recorded(setting, word)
    newest = next((attempt for attempt in recorded.attempts(word, of) if attempt.meant), None)
    if newest is None:
        raise not_recorded(recorded, word, of)
    answers = [_answer(recorded, word, of, facts) for facts in newest.meant]
    found = [answer for answer in answers if answer is not None]
    if not found:
        raise BrambleError(
            "history.not-built",
            f"{of or word} was already built in every recorded build",
            remedy="earlier builds are no longer recorded",
        )
    return found


def _answer(recorded: Recorded, word: str, of: str, latest: Facts) -> Optional[Answer]:
    """Return why the derivation that is `latest` in the newest build was last built."""
    built: Optional[tuple[Attempt, Facts]] = None
    for attempt, facts in recorded.trail(word, of, latest):
        if built is not None:
            if not facts.resolved and facts.id not in attempt.ended:
                continue  # It was not tried, so what went into it was not looked at.
            now, id = built[0], built[1].id
            why = tuple(reasons(id, now.facts, attempt.facts))
            return Answer(built[1], now.build, now.ended[id], attempt.build, why)
        if facts.id in attempt.ended:
            built = (attempt, facts)
    if built is None:
        return None
    return Answer(built[1], built[0].build, built[0].ended[built[1].id], None, ())


def without_secrets(change: Change) -> Change:
    """Return a change as it may be shown: its texts without passwords and tokens of URLs."""
    # spec: build.fetch.secrets
    before, after = (None if text is None else scrub(text) for text in (change.before, change.after))
    return change._replace(before=before, after=after)
