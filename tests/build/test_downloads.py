"""Downloads beside the pins of a lock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bramble.build.downloads import compare, downloads
from bramble.build.fetch.discretion import anonymous
from bramble.build.pins import lock_key
from bramble.derivation.model import Derivation
from bramble.derivation.template import OutputRef, Template
from bramble.errors import BrambleError

A, B, C = "a" * 32, "b" * 32, "c" * 32
URL = "https://example.test/x"
KEY = f"fetch_url {URL}"


def fetch(name: str = "x", builder: str = "fetch_url", **env: str) -> Derivation:
    given = {"url": URL, **env}
    values = tuple((key, Template.parse(value)) for key, value in sorted(given.items()))
    return Derivation(name, Template.parse(builder), env=values)


def locked(*derivations: Derivation, **pins: str):
    return compare(downloads(derivations), {key.replace("KEY", KEY): pin for key, pin in pins.items()})


PIECES = [*"ah:/?&;#.$@=", "http://", "token", "?token=x", "&sig=y", "me:pw@", "//", "file:", "\\"]


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=12).map("".join))
def test_a_key_has_no_secret_in_whatever_url_it_stood(url):
    # Most URLs are not looked at for one, as they cannot have any.
    assert lock_key("fetch_url", "n", {"url": url}) == f"fetch_url {anonymous(url)}"


def test_what_is_no_download_is_left_out():
    assert downloads([Derivation("x", Template.parse("./builder"))]) == ()


def test_a_key_without_a_pin_is_missing_once():
    # spec: project.lock.fits
    found = locked(fetch("x"), fetch("y"))
    assert ([one.name for one in found.missing], found.is_complete) == (["x"], False)
    found = locked(fetch("x"), fetch("y"), KEY=A)
    assert (found.missing, found.unused, dict(found.used), found.is_complete) == ((), (), {KEY: KEY}, True)


def test_a_download_that_needs_no_other_stands_for_its_key():
    # spec: cli.lock.builds
    needs = fetch("needs", more=str(OutputRef(A, "out")))
    assert [one.name for one in locked(needs, fetch("alone")).missing] == ["alone"]
    assert [one.alone for one in locked(needs).missing] == [False]


def test_what_states_its_bytes_itself_needs_no_pin():
    # spec: project.lock.fits
    for stated in ({"hash": A}, {"sha256": "0" * 64}, {"integrity": "sha512-x"}):
        found = locked(fetch(**stated), KEY=A)
        assert (found.missing, found.unused, found.conflicts) == ((), (KEY,), ())
        assert locked(fetch(**stated), fetch("y"), KEY=A).is_complete


def test_two_digests_of_one_key_are_a_conflict_and_not_unused():
    # spec: project.lock.fits
    (conflict,) = locked(fetch(hash=A), KEY=B).conflicts
    assert (conflict.key, conflict.digests, conflict.names, conflict.pinned) == (KEY, (A, B), ("x",), B)
    assert locked(fetch(hash=A), KEY=B).unused == ()
    (conflict,) = locked(fetch(hash=A), fetch("y", hash=C)).conflicts
    assert (conflict.digests, conflict.names, conflict.pinned) == ((A, C), ("x", "y"), "")


def test_a_pin_under_the_key_with_the_secret_in_it_still_counts():
    # spec: build.fetch.key
    secret = "https://me:secret@example.test/x"
    found = compare(downloads([fetch(url=secret)]), {f"fetch_url {secret}": A})
    assert (found.is_complete, dict(found.used)) == (True, {f"fetch_url {secret}": KEY})


def test_the_key_of_what_names_an_output_is_not_known():
    # spec: cli.lock.builds
    made = str(OutputRef(A, "out"))
    found = locked(fetch(url=f"https://example.test/{made}"), KEY=A)
    assert ([one.key for one in found.unknown], found.missing, found.unused) == ([""], (), (KEY,))
    assert locked(fetch(name2=made)).unknown == ()


def test_what_says_too_little_is_refused():
    with pytest.raises(BrambleError) as caught:
        downloads([fetch(builder="fetch_git")])
    assert caught.value.code == "derivation.env"
    with pytest.raises(BrambleError) as caught:
        downloads([fetch(hash="short")])
    assert caught.value.code == "fetch.hash"
