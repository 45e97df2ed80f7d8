"""Signatures that a real ssh-keygen makes, and envelopes that hold something else."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bramble.signatures.sshsig import NoSignature, Signature, key_text, parse_key, parse_signature

MESSAGE = b"example.com/p 1.0.0\n"


@pytest.fixture(scope="module")
def keygen() -> str:
    program = shutil.which("ssh-keygen")
    if program is None:
        pytest.skip("there is no ssh-keygen on this machine to make signatures")
    return program


@pytest.fixture(scope="module")
def key(keygen: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "key"
    subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-C", "x y", "-f", str(path)], check=True)
    return path


def signed(keygen: str, key: Path, namespace: str, *options: str) -> str:
    done = subprocess.run(
        [keygen, "-Y", "sign", "-f", str(key), "-n", namespace, *options],
        input=MESSAGE, capture_output=True, check=True,
    )  # fmt: skip
    return done.stdout.decode()


@pytest.mark.parametrize("options", [(), ("-Ohashalg=sha256",)])
def test_a_signature_of_ssh_is_one(keygen: str, key: Path, options: tuple[str, ...]) -> None:
    found = parse_signature(signed(keygen, key, "bramble-index", *options))
    assert found.is_of(MESSAGE, "bramble-index")
    assert not found.is_of(MESSAGE + b"x", "bramble-index")
    assert not found.is_of(MESSAGE, "bramble-inde")
    line = (key.parent / "key.pub").read_text()
    assert found.key == parse_key(line)
    assert line.startswith(key_text(found.key) + " ")


def test_another_kind_of_key_is_refused(keygen: str, tmp_path: Path) -> None:
    path = tmp_path / "key"
    subprocess.run([keygen, "-q", "-t", "ecdsa", "-N", "", "-f", str(path)], check=True)
    with pytest.raises(NoSignature, match="ssh-ed25519 is needed"):
        parse_signature(signed(keygen, path, "x"))
    with pytest.raises(NoSignature):
        parse_key((tmp_path / "key.pub").read_text())


def armoured(data: bytes) -> str:
    text = base64.b64encode(data).decode()
    return f"-----BEGIN SSH SIGNATURE-----\n{text}\n-----END SSH SIGNATURE-----\n"


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_in_words(data: bytes) -> None:
    for content in (data, b"SSHSIG\0\0\0\1" + data):
        with pytest.raises(NoSignature):
            parse_signature(armoured(content))


@given(st.text(max_size=50))
def test_any_text_is_refused_in_words(text: str) -> None:
    with pytest.raises(NoSignature):
        parse_signature(text)
    with pytest.raises(NoSignature):
        parse_key(text)


def test_a_cut_or_longer_envelope_is_none(keygen: str, key: Path) -> None:
    whole = signed(keygen, key, "x")
    data = base64.b64decode("".join(whole.splitlines()[1:-1]))
    assert isinstance(parse_signature(armoured(data)), Signature)
    for size in range(len(data)):
        with pytest.raises(NoSignature):
            parse_signature(armoured(data[:size]))
    with pytest.raises(NoSignature):
        parse_signature(armoured(data + b"\0"))
