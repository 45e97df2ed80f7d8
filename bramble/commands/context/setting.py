"""What a command knows of the world it runs in: read once by `cli`, handed down as a value."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Optional

from bramble.record import NamedTuple, dataclass, field

CREDENTIALS = "credentials"  # in the user's directory of configuration (spec: build.fetch.credentials)


class EvaluationLimits(NamedTuple):
    """The limits of one evaluation.

    `steps` are loop rounds and calls of functions: None counts none, and then only the
    rounds of each single loop are limited. `memory` is in bytes of address space, 0 for
    half of the machine's memory, within 1 and 2 GiB. `seconds` are of the processor.
    """

    steps: Optional[int] = None
    memory: int = 0
    seconds: float = 100


@dataclass(frozen=True)
class Setting:
    """The surroundings of one invocation.

    `cwd` is the current directory, `store_root` the directory that holds the
    store (spec: store.root; "" if the user has no home directory), `platform` this machine's
    `os-arch`, `jobs` how many builds may run at once, `store_of` the user to whom the store belongs (None:
    to this one; spec: store.other-owner), `mirror_table` the file that maps URLs to local
    files (spec: cli.mirror), `proxies` maps schemes to proxy URLs, `ca_file` and
    `ca_directory` name the authorities to trust in place of the machine's, `netrc` the
    file of names and passwords, `ssh_agent` the socket of ssh-agent(1) and `known_hosts` the
    person's file of keys of servers for ssh, `seconds` how long one download or question may
    take, `cache` is the directory for what can be made again at any time,
    `config` the user's for what is remembered, `state` for what was
    typed, `offline` forbids the network, `limits` are what evaluation may use,
    `host_tools` directories from which a project may take programs by their paths
    (spec: build.host-tools.reach), `target` what is built for, as build files
    see it ("": this machine), `locked` forbids every change of the lock,
    `vendor` is the vendor directory ("": none is named),
    `public_but` bounds the servers that may be reached to public ones and these hosts (None: any). `answers`
    grows: it has the answers of servers in this invocation, so that none is asked twice.
    """

    cwd: str
    store_root: str
    platform: str
    jobs: int
    mirror_table: Optional[str] = None
    proxies: Mapping[str, str] = field(default_factory=dict)
    ca_file: Optional[str] = None
    ca_directory: Optional[str] = None
    netrc: Optional[str] = None
    ssh_agent: Optional[str] = None
    known_hosts: Optional[str] = None
    seconds: Optional[float] = None
    cache: Optional[str] = None
    offline: bool = False
    public_but: Optional[tuple[str, ...]] = None
    config: Optional[str] = None
    state: Optional[str] = None
    terminal_type: Optional[str] = None
    limits: EvaluationLimits = EvaluationLimits()
    store_of: Optional[str] = None
    host_tools: tuple[str, ...] = ()
    target: str = ""
    locked: bool = False
    vendor: str = ""
    answers: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)


def credentials_of(setting: Setting) -> Optional[str]:
    """Return the user's file of values of Authorization; it need not be there."""
    # spec: build.fetch.credentials
    return None if setting.config is None else os.path.join(setting.config, CREDENTIALS)
