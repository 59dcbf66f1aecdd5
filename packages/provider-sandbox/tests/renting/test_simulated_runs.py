"""Runs that would rent, played beforehand: with what the provider offers, and without renting."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from longshore import load
from longshore.runtime.simulating import Assumptions, simulate
from longshore_sandbox import CloudClient

from .conftest import HEAD

FAN = """
machines = { max = 2 }
[tasks.part]
for_each.i = [1, 2, 3, 4]
needs = { cpus = 2 }
command = "true"
"""


def test_a_rented_pool_is_played_with_what_its_provider_offers_and_nothing_is_rented(
    cloud: CloudClient, tmp_path: Path
) -> None:
    (tmp_path / "longshore.toml").write_text(HEAD + FAN)
    loaded = load(tmp_path / "longshore.toml")
    assumed = Assumptions(seconds=60.0, boot=timedelta(seconds=30))
    (played,) = simulate(loaded.spec, loaded.folder, assumptions=assumed).runs
    assert (played.state, len(played.machines)) == ("succeeded", 2)
    assert played.makespan >= timedelta(seconds=30 + 2 * 60)
    assert played.costs
    assert [each for each in cloud.requests if each.action == "create"] == []
