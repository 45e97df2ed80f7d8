"""On what a derivation can be built, and for what."""

from __future__ import annotations

import os

from tests.build.world import PLATFORM, World, derivation, ref

OTHER = "plan9-mips"


class Platforms(World):
    def test_what_is_for_another_platform_is_refused_and_so_is_what_only_it_needs(self) -> None:
        # spec: build.platform
        tool = derivation("tool", args=["tool"])
        other = derivation("other", args=["other", ref(tool)], platform=OTHER, target="wasm")
        above = derivation("above", args=["above", ref(other)])
        report = self.build(above, among=(tool, other))
        (failure,) = report.failures
        self.assertEqual((failure.name, failure.error.code), ("other", "build.platform"))
        for word in ("other", OTHER, "wasm", PLATFORM):
            self.assertIn(word, failure.error.message)
        self.assertIn(OTHER, failure.error.remedy or "")
        self.assertEqual(self.launcher.ran, ["tool"])
        self.assertEqual(len(report.skipped), 1)

    def test_inputs_that_are_known_are_not_made_again_for_what_is_refused(self) -> None:
        # spec: build.platform
        tool = derivation("tool", args=["tool"])
        report = self.built(tool)
        made = self.store.object_path(next(iter(report.names.values())))
        os.chmod(made, 0o755)  # else only root can move a directory
        os.rename(made, os.path.join(self.top, "gone"))
        other = derivation("other", args=["other", ref(tool)], platform=OTHER)
        self.launcher.ran.clear()
        self.build(other, among=(tool,))
        self.assertEqual(self.launcher.ran, [])

    def test_what_was_built_there_is_used_here(self) -> None:
        # spec: build.platform
        other = derivation("other", args=["other"], platform=OTHER)
        above = derivation("above", args=["above", ref(other)])
        there = self.built(other, platform=OTHER)
        here = self.built(above, among=(other,))
        self.assertEqual([self.launcher.ran], [["other", "above"]])
        self.assertEqual({**here.names, **there.names}, dict(here.names))
        self.failure(derivation("more", args=["more"], platform=OTHER), "build.platform")

    def test_what_is_known_is_not_built_once_more_to_compare_it(self) -> None:
        # spec: build.platform
        other = derivation("other", args=["other"], platform=OTHER)
        self.built(other, platform=OTHER)
        self.failure(other, "build.platform", check=True)

    def test_a_download_is_made_anywhere(self) -> None:
        # spec: build.platform
        self.source("file", "text")
        url = "file://" + os.path.join(self.project, "file")
        self.built(derivation("f", "fetch_url", env={"url": url}, platform=OTHER))

    def test_programs_of_the_machine_and_generators_are_of_one_platform(self) -> None:
        # spec: build.platform
        self.failure(derivation("t", "host_tools", env={"tools": "sh"}, platform=OTHER), "build.platform")
        self.failure(derivation("g", "derivation_output", args=["x"], platform=OTHER), "build.platform")
