"""Run scenarios in interleaved rounds."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import Bench
from figures import Contestant, Reading, Row, rows_of
from measure import NotMeasured
from scenarios import Contender, Scenario


def run_scenario(scenario: Scenario, bench: Bench, rounds: int, say: Callable[[str], None]) -> list[Row]:
    """Measure everybody once a round, and judge."""
    rounds = min(rounds, scenario.most_rounds or rounds)
    entered = scenario.enter(bench)
    taking_part = [contender for contender in entered if isinstance(contender, Contender)]
    work = bench.build / "work" / scenario.name
    shutil.rmtree(work, ignore_errors=True)
    measured = measure_rounds(taking_part, work, rounds, say)
    if not any(contestant.reason for contestant in measured.values()):
        shutil.rmtree(work, ignore_errors=True)  # else it explains the failure
    results = [measured[c.name] if isinstance(c, Contender) else c for c in entered]
    return rows_of(scenario.name, scenario.tasks, results, scenario.bars)


def measure_rounds(
    contenders: Sequence[Contender], work: Path, rounds: int, say: Callable[[str], None]
) -> dict[str, Contestant]:
    """Measure each contender once a round, each round beginning with another; who fails once is not asked again."""
    readings: dict[str, list[Reading | None]] = {contender.name: [] for contender in contenders}
    reasons: dict[str, str] = {}
    for number in range(rounds):
        for contender in rotated(contenders, number):
            reading: Reading | None = None
            if contender.name not in reasons:
                say(f"  round {number + 1} of {rounds}: {contender.label}")
                try:
                    reading = _measure_once(contender, work, number)
                except NotMeasured as reason:
                    reasons[contender.name] = f"round {number + 1}: {reason}"
                    say(f"    not measured: {reason}")
            readings[contender.name].append(reading)
    return {
        contender.name: Contestant(
            name=contender.name,
            label=contender.label,
            readings=tuple(readings[contender.name]),
            reason=reasons.get(contender.name, ""),
        )
        for contender in contenders
    }


def rotated(contenders: Sequence[Contender], by: int) -> list[Contender]:
    """Give the contenders beginning with another one, so that nobody always follows the same neighbour's mess."""
    start = by % len(contenders) if contenders else 0
    return [*contenders[start:], *contenders[:start]]


def _measure_once(contender: Contender, work: Path, number: int) -> Reading:
    if contender.set_up is not None:
        folder = work / contender.name
        if not folder.exists():
            folder.mkdir(parents=True)
            contender.set_up(folder)
        return contender.measure(folder)
    folder = work / f"{contender.name}-{number}"
    folder.mkdir(parents=True)
    reading = contender.measure(folder)
    shutil.rmtree(folder, ignore_errors=True)  # when it has failed, it stays until the scenario is run again
    return reading
