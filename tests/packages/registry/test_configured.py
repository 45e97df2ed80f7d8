"""What the person's configuration says of registries, and what is refused in it."""

from __future__ import annotations

import pytest

from bramble.errors import BrambleError
from bramble.packages.registry.configured import Configured, Trusted, parse_configured

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKHEChT4iA4e5o4MFlt8CmSsZ4I+z4iUL2mRpYbBMgEx"
HEAD = f'[registries]\n"https://a.example/r/" = "{KEY} me"\n"file:///srv/r" = {{ key = "{KEY}" }}\n'


def test_registries_are_asked_in_the_order_in_which_they_stand() -> None:
    # spec: registry.config
    more = f"""
[registries."http://b.example:8080"]
key = "{KEY}"
origin = "b"
packages = ["example.com/team", "example.com/x"]

[packages]
private = ["corp.example", "example.com/x/y"]
"""
    found = parse_configured(HEAD + more, "config.toml")
    first = Trusted("https://a.example/r", f"{KEY} me")
    second = Trusted("file:///srv/r", KEY)
    third = Trusted("http://b.example:8080", KEY, "b", ("example.com/team", "example.com/x"))
    assert found == Configured((first, second, third), ("corp.example", "example.com/x/y"))
    # spec: registry.config.packages, registry.config.private
    assert found.for_package("example.com/team") == (first, second, third)
    assert found.for_package("example.com/x/z") == (first, second, third)
    assert found.for_package("example.com/teams") == (first, second)
    assert found.for_package("example.com/x/y/z") == ()
    assert found.for_package("corp.example/x") == ()
    assert found.for_package("corp.example.com/x") == (first, second)


def test_nothing_is_no_registry() -> None:
    assert parse_configured("", "c") == Configured() == parse_configured("[packages]\n", "c")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('registries = "x"', "1:1"),
        ("[other]", "1:"),
        ('[package]\nprivate = ["x"]', "1:"),
        ('[registries]\n"ftp://a.example" = "k"', "2:1"),
        (f'[registries]\n"https://me:secret@a.example" = "{KEY}"', "2:1"),
        (f'[registries]\n"https://a.example/?x=1" = "{KEY}"', "2:1"),
        (f'[registries]\n"https://" = "{KEY}"', "2:1"),
        (f'[registries]\n"a.example" = "{KEY}"', "2:1"),
        ('[registries]\n"https://a.example" = "ssh-ed25519 AAAA"', "2:1"),
        ('[registries]\n"https://a.example" = "ssh-dss AAAA"', "2:1"),
        ('[registries]\n"https://a.example" = 1', "2:1"),
        ('[registries]\n"https://a.example" = {}', "2:1"),
        (f'[registries."https://a.example"]\nkey = "{KEY}"\npackage = []', "3:1"),
        (f'[registries."https://a.example"]\nkey = "{KEY}"\npackages = "x"', "3:1"),
        (f'[registries."https://a.example"]\nkey = "{KEY}"\npackages = ["../x"]', "3:"),
        (f'[registries."https://a.example"]\nkey = "{KEY}"\norigin = "a b"', "3:1"),
        (f'[registries]\n"https://a.example" = "{KEY}"\n"https://a.example/" = "{KEY}"', "3:1"),
        ('[packages]\nprivat = ["x"]', "2:1"),
        ('[packages]\nprivate = ["x/"]', "2:"),
        ("[packages]\nprivate = 1", "2:1"),
    ],
)
def test_what_is_wrong_is_refused_at_its_place(text: str, place: str) -> None:
    # spec: registry.config
    with pytest.raises(BrambleError) as caught:
        parse_configured(text, "config.toml")
    assert caught.value.code == "config.registries"
    assert str(caught.value.place).startswith(f"config.toml:{place}")
    assert "secret" not in str(caught.value)
