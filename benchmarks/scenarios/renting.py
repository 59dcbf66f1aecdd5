"""What a user of rented machines meets: the time until tasks begin, what is paid for nothing, the list of offers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import longshore_side
from bench import Bench
from figures import OURS, PAID, Bar, Contestant, Promise, Reading
from measure import Invocation, NotMeasured, execute, last_line
from scenarios.base import Contender, Scenario, enter_or_excuse

PROBE = Path(__file__).parent.parent / "probes" / "rented.py"


def first_task_scenario(machines: int) -> Scenario:
    """Run a task on each of so many new machines, from the shell prompt, where API and machines answer at once."""
    bars = (
        Bar(subject=OURS, promise=Promise.BELOW, limit=3.0 if machines == 1 else 30.0),
        Bar(subject=OURS, promise=Promise.BELOW, limit=60.0, quantity=PAID),
    )
    title = f"until a task has started on {machines} new machine{'s' if machines > 1 else ''}, on the stand-in for AWS"
    return _scenario(f"first-task-{machines}", title, ("run", str(machines)), bars)


def offers_scenario() -> Scenario:
    """List offers that were asked for before."""
    title = "wall time of longshore offers, from what was asked before, on the stand-in for AWS"
    return _scenario("offers", title, ("offers",), (Bar(subject=OURS, promise=Promise.BELOW, limit=0.3),))


def _scenario(name: str, title: str, words: tuple[str, ...], bars: tuple[Bar, ...]) -> Scenario:
    def enter(bench: Bench) -> Sequence[Contender | Contestant]:
        def contender() -> Contender:
            prepare = longshore_side.cloud_probe(bench, PROBE, *words)
            return Contender(name=OURS, label="longshore", measure=lambda folder: _told(prepare(folder)))

        return [enter_or_excuse(OURS, "longshore", contender)]

    return Scenario(name=name, title=title, tasks=None, enter=enter, bars=bars)


def _told(command: Invocation) -> Reading:
    """Read what the probe has measured."""
    execute(command)
    said = last_line(command.folder / "output.log")
    try:
        return {name: float(seconds) for name, seconds in json.loads(said).items()}
    except ValueError:
        raise NotMeasured(f"the probe said {said!r}") from None
