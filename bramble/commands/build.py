"""`bramble build`: from targets on the command line to objects in the store."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, Callable, Mapping, Optional, Sequence

from bramble.build.engine import BuildOptions, BuildReport, build
from bramble.build.events import Event, Failed, Finished, Impure, Output, Progress, Started, Waiting
from bramble.commands.evaluation import Evaluated, evaluate_targets
from bramble.commands.mirror import read_mirror
from bramble.commands.setting import Setting
from bramble.derivation.encoding import to_json
from bramble.derivation.template import OutputRef
from bramble.errors import BrambleError
from bramble.lang.evaluate import RunRequest
from bramble.project.lockfile import merge, read_lock, write_lock
from bramble.sandbox.launch import Launcher
from bramble.store.disk import Store
from bramble.store.publish import StoreObject

__all__ = [
    "BuildChoices",
    "BuildResult",
    "BuiltTarget",
    "Event",
    "Failed",
    "Finished",
    "Impure",
    "Output",
    "Progress",
    "Started",
    "Waiting",
    "build_targets",
    "just_parse",
]
