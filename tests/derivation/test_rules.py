"""What every derivation must satisfy."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bramble.derivation.model import Derivation, Sources
from bramble.derivation.rules import NAME_LIMIT, check, is_relative_path, suggest_builder
from bramble.derivation.template import Template
from bramble.errors import BrambleError

parse = Template.parse


def make(**fields: Any) -> Derivation:
    return Derivation(**{"name": "n", "builder": parse("b"), **fields})


def env(**variables: str) -> tuple[tuple[str, Template], ...]:
    return tuple(sorted((name, parse(value)) for name, value in variables.items()))


GOOD = [
    make(),
    make(name="busybox-x86_64.tar.gz"),
    make(name="a name with spaces and é"),
    make(name="x" * NAME_LIMIT),
    make(builder=parse("./build.sh")),
    make(builder=parse("../shared/build.sh")),
    make(builder=parse("{{ " + "a" * 32 + ":out }}/bin/sh")),
    make(args=(parse(""), parse("a\nb"))),
    make(env=env(PATH="", A="x=y")),
    make(outputs=("out", "lib", "_", "A1")),
    make(platform="linux-arm64"),
    make(builder=parse("derivation_output"), args=(parse("x"),), network=True),
    make(builder=parse("fetch_url"), env=env(url="https://example.test/a")),
    make(builder=parse("fetch_git"), env=env(url="u", reference="main", directory="", disallowed_closure="")),
    make(builder=parse("host_tools"), env=env(tools="sh", files="/etc/x")),
    make(builder=parse("host_tools"), env=env(tools="gcc"), outputs=("out", "rt")),
    make(sources=Sources("", "a/b", ("a/c", "d"))),
    make(sources=Sources("example.com/p", "", ("...", "..a", "a.."))),
]


@pytest.mark.parametrize("derivation", GOOD)
def test_a_derivation_like_this_is_accepted(derivation):
    check(derivation)


BAD = [
    (make(name=""), "name"),
    (make(name="a/b"), "name"),
    (make(name="a\nb"), "name"),
    (make(name="a\x9bb"), "name"),
    (make(name="x" * (NAME_LIMIT + 1)), "name"),
    (make(name="é" * (NAME_LIMIT // 2 + 1)), "name"),
    (make(builder=parse("")), "builder"),
    (make(builder=parse("/bin/sh")), "builder"),
    (make(builder=parse("a\x00")), "builder"),
    (make(builder=parse("fetch_url")), "env"),
    (make(builder=parse("fetch_url"), env=env(url="")), "env"),
    (make(builder=parse("fetch_git")), "env"),
    (make(builder=parse("fetch_git"), env=env(url="u")), "env"),
    (make(builder=parse("fetch_git"), env=env(url="u", reference="r", sha256="")), "env"),
    (make(builder=parse("host_tools")), "env"),
    (make(builder=parse("host_tools"), env=env(PATH="", tools="sh")), "env"),
    (make(builder=parse("host_tools"), env=env(tools="sh"), outputs=("a", "b")), "outputs"),
    (make(builder=parse("host_tools"), env=env(tools="sh"), outputs=("rt", "out")), "outputs"),
    (make(builder=parse("derivation_output"), args=(parse("x"),), outputs=("a",)), "outputs"),
    (make(args=(parse("a\x00"),)), "args"),
    (make(builder=parse("derivation_output")), "args"),
    (make(builder=parse("derivation_output"), args=(parse(""), parse("x"))), "args"),
    (make(builder=parse("derivation_output"), args=(parse("/bin/sh"),)), "args"),
    (make(env=(("", parse("a")),)), "env"),
    (make(env=(("a=b", parse("a")),)), "env"),
    (make(env=(("a\x00", parse("a")),)), "env"),
    (make(env=env(a="\x00")), "env"),
    (make(env=env(out="x")), "env"),
    (make(env=env(lib="x"), outputs=("out", "lib")), "env"),
    (make(env=(("b", parse("")), ("a", parse("")))), "env"),
    (make(env=(("a", parse("")), ("a", parse("")))), "env"),
    (make(outputs=()), "outputs"),
    (make(outputs=("",)), "outputs"),
    (make(outputs=("a-b",)), "outputs"),
    (make(outputs=("1",)), "outputs"),
    (make(outputs=("é",)), "outputs"),
    (make(outputs=("out", "out")), "outputs"),
    (make(outputs=("out\n",)), "outputs"),
    (make(platform="linux"), "platform"),
    (make(platform="Linux-amd64"), "platform"),
    (make(platform="linux-amd64\n"), "platform"),
    (make(network=True), "network"),
    (make(builder=parse("fetch_url"), env=env(url="u"), network=True), "network"),
    (make(target="a\nb"), "target"),
    (make(sources=Sources("", "", ("",))), "sources"),
    (make(sources=Sources("", "", ("./a",))), "sources"),
    (make(sources=Sources("", "", ("a//b",))), "sources"),
    (make(sources=Sources("", "", ("a/",))), "sources"),
    (make(sources=Sources("", "", ("a\x00",))), "sources"),
    (make(sources=Sources("", "", ("a", "a"))), "sources"),
    (make(sources=Sources("", "/", ("a",))), "sources"),
    (make(sources=Sources("a//b", "", ("a",))), "sources"),
    (make(sources=Sources("p", "", ())), "sources"),
]


@pytest.mark.parametrize(("derivation", "parameter"), BAD)
def test_a_broken_rule_is_named_by_its_parameter(derivation, parameter):
    with pytest.raises(BrambleError) as caught:
        check(derivation)
    assert caught.value.code == f"derivation.{parameter}"


@pytest.mark.parametrize("path", ["", ".", "..", "/", "/a", "a/", "a//b", "a/./b", "a/../b", "../a", "a\x00"])
def test_a_path_that_could_lead_elsewhere_is_not_relative(path):
    assert not is_relative_path(path)


def test_a_misspelt_builder_is_recognised():
    assert suggest_builder("fetch-url") == "fetch_url"
    assert suggest_builder("fetch_url") is None
    assert suggest_builder("ho") is None


@given(st.lists(st.text("a./\x00", max_size=4), max_size=4))
def test_sources_are_well_formed_when_each_is_a_relative_path_and_they_are_in_order(files: list[str]) -> None:
    # Derived from the definition, one file at a time.
    right = all(is_relative_path(file) for file in files) and files == sorted(set(files))
    assert Sources(files=tuple(files)).well_formed == right
