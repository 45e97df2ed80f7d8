"""Opening the store of a setting."""

from __future__ import annotations

from bramble.commands.context.setting import Setting
from bramble.store.disk import Store
from bramble.store.late import late


def open_store(setting: Setting, *, read_only: bool = False, change: bool = False) -> Store:
    """Open the store of this setting; it is made if need be, unless it is only to be read.

    With `change` one that belongs to another user is refused.

    Raises BrambleError store.unknown-user, store.read-only, and as `Store.open` does.
    """
    # spec: store.other-owner
    owner = None if setting.store_of is None else late("trust.people", "user_id")(setting.store_of)
    store = Store.open(setting.store_root, read_only=read_only, owner=owner)
    if change:
        store.refuse_to_write()
    return store
