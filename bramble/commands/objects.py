"""`bramble store …`: questions about objects, and what is done to them."""

from __future__ import annotations

from collections.abc import Sequence

from bramble.commands.context.evaluation import evaluate_targets
from bramble.commands.context.opening import open_store, root_of
from bramble.commands.context.setting import Setting
from bramble.errors import BrambleError
from bramble.record import replace
from bramble.store.disk import Store
from bramble.store.gc.collect import GcReport, collect, delete
from bramble.store.gc.optimise import OptimiseReport, optimise
from bramble.store.layout.place import locate
from bramble.store.questions.query import (
    Branch,
    Change,
    Holding,
    closure_size,
    diff,
    holdings,
    labels,
    referrers,
    resolve,
    tree,
    why,
)
from bramble.store.records.roots import add_root, explicit_roots, remove_root, results_of
from bramble.store.transfer.relocate import RelocateReport, relocate
from bramble.store.transfer.stream import ImportReport, export_objects, import_objects
from bramble.store.tree.plain import archive_digest

__all__ = [
    "Branch",
    "Change",
    "GcReport",
    "Holding",
    "ImportReport",
    "OptimiseReport",
    "RelocateReport",
    "Store",
    "add_root",
    "archive_digest",
    "closure_size",
    "collect",
    "delete",
    "diff",
    "explicit_roots",
    "export_objects",
    "find_object",
    "find_objects",
    "holdings",
    "import_objects",
    "labels",
    "open_store",
    "optimise",
    "place",
    "referrers",
    "relocate",
    "remove_root",
    "root_of",
    "tree",
    "why",
]


def place(setting: Setting) -> tuple[str, str]:
    """Return the root and the directory of the store, which need not be there and is not made.

    Raises BrambleError as `Store.open` does, for a store that cannot be used or made, too.
    """
    # spec: cli.store.asking
    try:
        store = open_store(setting, read_only=True)
    except BrambleError as error:
        if error.code != "store.missing":
            raise
        found = locate(root_of(setting))
        return found.root, found.directory
    return store.root, store.directory


def find_object(store: Store, text: str, setting: Setting) -> tuple[str, ...]:
    """Return the objects that `text` means: a path, a name, the beginning of one, or a target that was built.

    Raises BrambleError store.unknown-object, store.ambiguous-name, and store.not-built.
    """
    # spec: cli.store.objects
    if ":" not in text or text.startswith("/"):
        return (resolve(store, text),)
    # A question changes no lock.
    evaluated = evaluate_targets([text], replace(setting, locked=True), lambda line: None)
    built = results_of(store, evaluated.project.home)
    found = [name for result in evaluated.evaluation.results for name in built.get(result.target, ())]
    present = tuple(dict.fromkeys(name for name in found if store.contains(name)))
    if not present:
        raise BrambleError(
            "store.not-built",
            f"{text} was not built as a target, or its result was collected",
            remedy=f"bramble build {text}",
        )
    return present


def find_objects(store: Store, words: Sequence[str], setting: Setting) -> tuple[str, ...]:
    """Return the objects that all of `words` mean, each once."""
    return tuple(dict.fromkeys(name for word in words for name in find_object(store, word, setting)))
