"""The library that comes with Bramble: it is found, listed, and behaves like a package without files."""

from __future__ import annotations

import os
from pathlib import Path

from bramble.lang.toml_module import written
from bramble.library import modules as library
from bramble.project.toml import Moment
from tests.lang.worlds import World


def test_every_module_has_a_file_and_every_file_is_a_module() -> None:
    directory = os.path.dirname(library.__file__)
    files = {name for name in os.listdir(directory) if name.endswith(".bramble")}
    assert files == set(library.MODULES.values())
    assert all(library.read(path) for path in library.MODULES.values())


def test_a_derivation_of_the_library_has_the_place_of_the_call_that_asked_for_it(tmp_path: Path) -> None:
    world = World(tmp_path, default='load("std")\ndef f():\n    return std.write("a", "b")\n')
    evaluation = world.evaluate()
    (root,) = evaluation.results[0].roots
    assert str(evaluation.places[root.derivation]) == "default.bramble:3:21"


def test_what_goes_wrong_within_the_library_shows_both_calls(tmp_path: Path) -> None:
    text = 'load("std")\ndef f():\n    return std.script("a", "b", env={1: 2})\n'
    error = World(tmp_path, default=text).error()
    assert error.code == "derivation.env"
    assert "default.bramble:3:22: in f\n  std/default.bramble:" in error.detail


def test_the_library_is_no_place_for_files(tmp_path: Path) -> None:
    # A function of the library that is called with another module's files gets those, and finds none itself.
    text = 'load("std")\ndef f():\n    return std.script("a", "b", sources=files(["x"]))\n'
    world = World(tmp_path, default=text)
    world.write("x")
    evaluation = world.evaluate()
    (root,) = evaluation.results[0].roots
    assert evaluation.graph.get(root.derivation).sources.files == ("x",)


def test_dates_of_toml_are_written_as_rfc_3339_writes_them() -> None:
    assert written(Moment(1, 2, 3, 4, 5, 6, 70, -90)) == "0001-02-03T04:05:06.000070-01:30"
    assert written(Moment(2020, 1, 2, 0, 0, 0, 0, 0)) == "2020-01-02T00:00:00Z"
