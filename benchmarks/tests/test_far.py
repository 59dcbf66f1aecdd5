"""Hosts are real, and are gone afterwards; they need Longshore and longshore-ssh installed by a run of the suite."""

from __future__ import annotations

from pathlib import Path

import pytest

import processes
from bench import Bench
from environments import Environments
from figures import WALL
from scenarios import Contender, find

CHECKOUT = Path(__file__).resolve().parents[2]
BUILD = CHECKOUT / "build" / "bench"


@pytest.fixture(scope="module")
def bench() -> Bench:
    if not (BUILD / "longshore-ssh" / "installed-for.txt").exists():
        pytest.skip("longshore-ssh is not installed in build/bench; `python benchmarks/run.py ssh-hosts-1` does it")
    processes.adopt_orphans()
    return Bench(checkout=CHECKOUT, build=BUILD, environments=Environments(BUILD), peers=())


@pytest.mark.parametrize("name", ["ssh-4", "ssh-dash-4", "ssh-hosts-2", "away-status-4", "away-attach-4"])
def test_everybody_is_measured_on_hosts_of_his_own_and_nothing_of_these_is_left(
    bench: Bench, name: str, tmp_path: Path
) -> None:
    for contender in find(name).enter(bench):
        assert isinstance(contender, Contender)
        folder = tmp_path / contender.name
        folder.mkdir()
        assert contender.measure(folder)[WALL] > 0
        assert processes.descendants() == []
