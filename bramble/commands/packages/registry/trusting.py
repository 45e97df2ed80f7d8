"""The registries that the user trusts: read from a file that nobody else can write."""

from __future__ import annotations

import os
import stat

from bramble.commands.context.setting import Setting
from bramble.errors import BrambleError
from bramble.packages.registry.configured import CODE, Configured, parse_configured
from bramble.project.access import read_anywhere
from bramble.project.toml import decode

CONFIG = "config.toml"


def configured(setting: Setting) -> Configured:
    """Return the registries of this user; empty if there is no file. Raises config.registries."""
    # spec: registry.config
    if setting.config is None:
        return Configured()
    path = os.path.join(setting.config, CONFIG)
    try:
        _check(path)
        return parse_configured(decode(read_anywhere(path), path), path)
    except FileNotFoundError:
        return Configured()
    except OSError as error:
        raise BrambleError(
            CODE, f"{path} cannot be read: {error.strerror}", remedy="make it a file that you may read"
        ) from error


def _check(path: str) -> None:
    """Refuse what another user could have written: a key there would not be the decision of this user."""
    for one in (os.path.dirname(path), path):
        status = os.stat(one)
        if status.st_uid not in (0, os.geteuid()) or stat.S_IMODE(status.st_mode) & 0o022:
            raise BrambleError(
                CODE,
                f"{one} is not yours, or others can write to it, but it decides which keys are trusted",
                remedy=f"check it, then run: chmod go-w {one}",
            )
