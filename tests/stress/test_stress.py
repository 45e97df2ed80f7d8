from __future__ import annotations

from tests.stress.stress_store import stress


def test_many_processes_may_use_one_store_and_be_killed_at_any_moment(place: str) -> None:
    assert stress(place + "/s", seconds=5.0, processes=4, seed=4) == []
