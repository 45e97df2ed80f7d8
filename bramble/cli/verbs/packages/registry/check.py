"""`bramble registry check [options] NAME [REFERENCE]`: what a registry does before it publishes."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from typing import Optional

from bramble.cli.building import Interrupts
from bramble.cli.environment import Surface, read_setting
from bramble.cli.progress import Display
from bramble.cli.render import harmless, print_json, say
from bramble.commands.registry.checking import Around, Checked, check, choices_of, places_of
from bramble.commands.registry.outcome import write_outcome, write_problem
from bramble.errors import BrambleError

_TO_END = 8.0  # seconds that are left when standard input has ended


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Check a package, and say what was found."""
    setting = read_setting(os.environ, arguments.directory, jobs=arguments.jobs, store_of=arguments.store_of)
    choices = choices_of(
        pure=arguments.pure,
        memory=arguments.memory,
        processes=arguments.processes,
        output_size=arguments.output_size,
    )
    display = Display(surface)
    with Interrupts() as interrupts, _directory(arguments.outcome) as directory:
        if arguments.until_eof:
            threading.Thread(target=_end_with_input, name="input", daemon=True).start()
        around = Around(
            setting=setting,
            directory=directory,
            registry=arguments.published and os.path.abspath(arguments.published),
            choices=choices,
            places=places_of(setting, arguments.places),
            say=lambda line: say(harmless(line)),
            on_event=display,
            cancelled=interrupts.cancelled,
        )
        try:
            checked = check(arguments.package, arguments.reference, around)
        except BrambleError as error:
            write_problem(directory, error)
            raise
        finally:
            display.close()
        write_outcome(directory, checked)
    if arguments.json:
        print_json(_as_json(checked))
    elif arguments.outcome is None:
        print(_line(checked))
    return 0


def _as_json(checked: Checked) -> dict[str, object]:
    # spec: registry.check.json
    entry = checked.entry
    return {
        "version": 1,
        "package": entry.name,
        "release": entry.version,
        "commit": entry.commit,
        "digest": entry.digest,
        "already": checked.already,
        "impure": list(checked.impure),
        "functions": [
            f"{module.name}:{function.name}"
            for module in checked.documentation.modules
            for function in module.functions
        ],
    }


def _line(checked: Checked) -> str:
    entry = checked.entry
    if checked.already:
        return f"{entry.release} is published already, as commit {entry.commit}"
    impure = f"; it depends on this machine: {', '.join(checked.impure)}" if checked.impure else ""
    return f"{entry.release} can be published{harmless(impure)}"


@contextlib.contextmanager
def _directory(given: Optional[str]) -> Iterator[str]:
    if given is not None:
        yield os.path.abspath(given)
        return
    with tempfile.TemporaryDirectory(prefix="bramble-check-") as made:
        yield made


def _end_with_input() -> None:
    """Wait until the parent process has ended, then end this process, by force if necessary."""
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_TO_END)
    os._exit(128 + signal.SIGTERM)
