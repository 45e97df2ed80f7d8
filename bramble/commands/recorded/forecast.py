"""How long builds will take, from what earlier ones took."""

from __future__ import annotations

from collections.abc import Mapping

from bramble.commands.context.recorded import open_recorded
from bramble.commands.context.setting import Setting
from bramble.store.history.records import durations


def forecasts(setting: Setting) -> Mapping[str, float]:
    """Return the seconds that derivations took in earlier builds of the project, by their names.

    Raises BrambleError as `open_recorded` does.
    """
    recorded = open_recorded(setting)
    return durations(recorded.store, recorded.project.home)
