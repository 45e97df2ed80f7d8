"""`bramble store verify`: reads the whole store again, and repairs it by building again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Optional

from bramble.commands.build import BuildChoices, build_evaluated
from bramble.commands.context.evaluation import evaluate_targets
from bramble.commands.context.setting import Setting
from bramble.derivation.encoding import decode_resolved
from bramble.errors import BrambleError
from bramble.record import replace
from bramble.store.disk import Store
from bramble.store.questions.verify import Damage, VerifyReport, verify
from bramble.store.records.roots import ProjectRoots, projects

__all__ = ["Damage", "VerifyReport", "verify_store"]


def verify_store(
    store: Store,
    setting: Setting,
    *,
    names: Optional[Sequence[str]] = None,
    repair: bool = False,
    on_object: Optional[Callable[[str, int], None]] = None,
) -> VerifyReport:
    """Hash the objects `names` (None: everything) again; with `repair` make again what is damaged.

    What a known project's targets need is built again; other objects cannot be
    repaired and stay as they are (spec: store.verify, cli.store.verify).
    """
    return verify(
        store,
        names,
        check_derivation=_is_what_it_says,
        rebuild=_Rebuilder(store, setting) if repair else None,
        on_object=on_object,
    )


def _is_what_it_says(filename: str, data: bytes) -> bool:
    try:
        resolved, _ = decode_resolved(data)
    except BrambleError:
        return False
    return resolved.filename == filename


class _Rebuilder:
    """Builds the targets of all known projects again until an object is there."""

    def __init__(self, store: Store, setting: Setting) -> None:
        self._store = store
        self._setting = setting

    def __call__(self, name: str) -> bool:
        # The projects whose results refer to the object come first: most likely they alone are built.
        known = [roots for _, roots in projects(self._store)]
        for roots in sorted(known, key=lambda one: not self._needs(one, name)):
            self._build(roots, name)
            if self._store.contains(name):
                return True
        return False

    def _needs(self, roots: ProjectRoots, name: str) -> bool:
        try:
            return name in self._store.closure(roots.objects)
        except BrambleError:
            return True

    def _build(self, roots: ProjectRoots, name: str) -> None:
        setting = replace(self._setting, cwd=roots.project, locked=True)
        choices = BuildChoices(demand=frozenset([name]))
        for target in sorted(roots.results):
            try:
                evaluated = evaluate_targets([target], setting, lambda line: None)
                build_evaluated(evaluated, setting, choices, lambda event: None, threading.Event())
            except BrambleError:
                # A project that cannot be evaluated any more cannot help; another one may.
                continue
