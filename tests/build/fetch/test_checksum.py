"""Checksums of downloads in every spelling, and what is made of a downloaded file."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

from bramble.build.fetch.checksum import Checksum, checksum_of, verify
from bramble.build.fetch.shape import shape_of, stripped
from bramble.build.pins import expected, has_checksum, lock_key
from bramble.errors import BrambleError

HI = b"hi"
SHA256, SHA512 = hashlib.sha256(HI), hashlib.sha512(HI)


def b64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def code(function: object, *args: object, **kwargs: object) -> str:
    with pytest.raises(BrambleError) as caught:
        function(*args, **kwargs)  # type: ignore[operator]
    assert caught.value.remedy
    return caught.value.code


@pytest.mark.parametrize(
    "env",
    [
        {"sha256": SHA256.hexdigest()},
        {"sha256": SHA256.hexdigest().upper()},
        {"sha256": b64(SHA256.digest())},
        {"sha256": "sha256-" + b64(SHA256.digest())},
        {"integrity": "sha256-" + b64(SHA256.digest())},
        {"integrity": f"sha1-AAAA sha256-{b64(SHA256.digest())}?x"},
    ],
)
def test_one_checksum_has_many_spellings(env: dict[str, str]) -> None:
    assert checksum_of("d", env) == Checksum("sha256", SHA256.digest())


def test_the_strongest_checksum_counts() -> None:
    env = {"sha256": "0" * 64, "integrity": "sha512-" + b64(SHA512.digest())}
    assert checksum_of("d", env) == Checksum("sha512", SHA512.digest())
    assert checksum_of("d", {"sha256": "", "integrity": ""}) is None


@pytest.mark.parametrize(
    "env",
    [
        {"sha256": "8f43"},
        {"sha256": SHA512.hexdigest()},
        {"sha256": "é" * 64},
        {"sha512": SHA256.hexdigest()},
        {"sha256": "sha512-" + b64(SHA512.digest())},
        {"integrity": "md5-AAAA"},
        {"integrity": "sha256-????"},
        {"integrity": f"sha256-{b64(SHA256.digest())} sha256-{b64(bytes(32))}"},
    ],
)
def test_what_is_no_checksum_is_refused_and_not_left_out(env: dict[str, str]) -> None:
    assert code(checksum_of, "d", env) == "fetch.checksum"


def test_bytes_are_compared(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(HI)
    verify(str(file), Checksum("sha512", SHA512.digest()), name="d", url="u")
    file.write_bytes(HI + b"\n")
    want = Checksum("sha512", SHA512.digest())
    assert code(verify, str(file), want, name="d", url="u") == "fetch.checksum-mismatch"


def test_a_download_with_a_checksum_has_nothing_to_do_with_the_lock() -> None:
    env = {"url": "u", "sha256": "x"}
    assert has_checksum(env) and not has_checksum({"url": "u", "sha256": ""})
    assert expected("fetch_url", "d", env, {"fetch_url u": "a" * 32}) is None
    assert expected("fetch_url", "d", {**env, "hash": "b" * 32}, {"fetch_url u": "a" * 32}) == "b" * 32


def test_two_shapes_of_one_download_have_two_keys() -> None:
    assert lock_key("fetch_url", "d", {"url": "u  v"}) == "fetch_url u v"
    env = {"url": "u", "unpack": "no", "name": "n"}
    assert lock_key("fetch_url", "d", env) == "fetch_url u name=n unpack=no"


def test_the_shape_of_a_download() -> None:
    plain = shape_of("d", {"url": "https://h.test/a.tar.gz?x https://i.test/b"})
    assert (plain.name, plain.kind, plain.executable, plain.strip) == ("a.tar.gz", "gz", False, 0)
    assert shape_of("d", {"url": "https://h.test/a.crate", "unpack": "tar.gz", "strip": "1"}).kind == "gz"
    assert shape_of("d", {"url": "https://h.test/a.zip", "unpack": "no"}).kind is None
    assert shape_of("d", {"url": "https://h.test/", "name": "tool", "executable": "true"}).executable


@pytest.mark.parametrize(
    "env",
    [
        {"name": "a/b"},
        {"name": ".."},
        {"unpack": "7z"},
        {"strip": "-1", "unpack": "tar"},
        {"strip": "9" * 5000, "unpack": "tar"},
        {"strip": "1"},
        {"executable": "perhaps"},
        {"executable": "true", "unpack": "zip"},
    ],
)
def test_a_shape_that_makes_no_sense_is_refused(env: dict[str, str]) -> None:
    assert code(shape_of, "d", {"url": "https://h.test/f", **env}) == "derivation.env"


def test_stripping_loses_nothing_in_silence(tmp_path: Path) -> None:
    (tmp_path / "a" / "x").mkdir(parents=True)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "y").write_text("")
    assert [path.rpartition("/")[2] for path in stripped(str(tmp_path), 1, name="n")] == ["x", "y"]
    assert code(stripped, str(tmp_path), 2, name="n") == "fetch.archive-strip"  # y is a file
    (tmp_path / "b" / "x").symlink_to("y")
    assert code(stripped, str(tmp_path), 1, name="n") == "fetch.archive-strip"  # two of the name x
    assert code(stripped, str(tmp_path / "a"), 1, name="n") == "fetch.archive-empty"


def test_the_pin_of_a_repository_is_not_that_of_a_directory_of_it() -> None:
    # spec: build.fetch-git.directory
    env = {"url": "https://h/r", "reference": "v1"}
    whole, part = "a" * 32, "b" * 32
    pins = {"fetch_git https://h/r@v1": whole}
    assert expected("fetch_git", "d", env, pins) == whole
    assert expected("fetch_git", "d", {**env, "directory": "x"}, pins) is None
    pins["fetch_git https://h/r@v1 directory=x"] = part
    assert expected("fetch_git", "d", {**env, "directory": "x"}, pins) == part
    assert expected("fetch_git", "d", {**env, "submodules": "true"}, pins) is None
