"""Supervisors that are killed at any moment: whatever is told is true, and nothing is executed twice."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest

from longshore.model.command import Call, Shell
from longshore.model.events import AttemptEnded
from longshore.model.outcome import Exited, Lost

from .bench import Bench, kill

SEEDS = range(int(os.environ.get("LONGSHORE_CHAOS_SEEDS", "6")))
ATTEMPTS = 60
KILLS = 3


@pytest.mark.parametrize("seed", SEEDS)
def test_every_attempt_ends_once_and_is_executed_once_at_most(bench: Bench, seed: int) -> None:
    chance = random.Random(seed)
    bench.open(cpus=3.0)
    counters = bench.project / "counters"
    counters.mkdir()
    for number in range(ATTEMPTS):
        bench.go(f"a{number}", Shell(f"echo x >> {counters}/a{number}; sleep {chance.choice((0, 0.001, 0.02))}"))
    for _ in range(KILLS):
        ended = chance.randrange(ATTEMPTS)
        bench.ended(f"a{ended}")
        kill(bench.supervisor())
    ends = {f"a{number}": bench.ended(f"a{number}") for number in range(ATTEMPTS)}

    told = [event.task for event in bench.settled() if isinstance(event, AttemptEnded) and event.task != "settle"]
    assert sorted(told) == sorted(ends)
    for task, end in ends.items():
        count = times(counters / task)
        assert count <= 1
        assert isinstance(end.outcome, Lost) or (end.outcome, count) == (Exited(0), 1)


def times(counter: Path) -> int:
    return len(counter.read_text().split()) if counter.exists() else 0


@pytest.mark.parametrize("seed", SEEDS)
def test_calls_end_once_too(bench: Bench, seed: int) -> None:
    chance = random.Random(seed)
    (bench.project / "functions.py").write_text(
        "def mark(path):\n    with open(path, 'a') as file: file.write('x ')\n    return path\n"
    )
    bench.open(cpus=3.0)
    counters = bench.project / "counters"
    counters.mkdir()
    for number in range(ATTEMPTS):
        arguments = json.dumps({"args": [f"{counters}/a{number}"]})
        bench.go(f"a{number}", Call(function="functions:mark", arguments=arguments))
    bench.ended(f"a{chance.randrange(ATTEMPTS)}")
    kill(bench.supervisor())

    for number in range(ATTEMPTS):
        end = bench.ended(f"a{number}")
        count = times(counters / f"a{number}")
        assert count <= 1
        assert isinstance(end.outcome, Lost) or (end.outcome, count) == (Exited(0), 1)
    assert len([event for event in bench.settled() if isinstance(event, AttemptEnded)]) == ATTEMPTS + 1
