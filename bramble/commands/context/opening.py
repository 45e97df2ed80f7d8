"""Opening the store of a setting."""

from __future__ import annotations

from bramble.commands.context.setting import Setting
from bramble.errors import BrambleError
from bramble.store.disk import Store
from bramble.store.late import late


def open_store(
    setting: Setting, *, read_only: bool = False, change: bool = False, create: bool = True
) -> Store:
    """Open the store of this setting; it is made if need be and `create`, unless it is only to be read.

    With `change` one that belongs to another user is refused.

    Raises BrambleError store.no-home, store.unknown-user, store.read-only, and as `Store.open` does.
    """
    # spec: store.other-owner
    owner = None if setting.store_of is None else late("trust.people", "user_id")(setting.store_of)
    store = Store.open(root_of(setting), create=create, read_only=read_only, owner=owner)
    if change:
        store.refuse_to_write()
    return store


def root_of(setting: Setting) -> str:
    """Return the directory of the store. Raises BrambleError store.no-home where the user has none."""
    # spec: cli.store.home
    if not setting.store_root:
        raise BrambleError(
            "store.no-home",
            "there is no home directory to keep the store in",
            remedy="set BRAMBLE_PATH to an absolute directory",
        )
    return setting.store_root
