"""What a user of rented machines meets: the time until tasks begin, what is paid for nothing, the list of offers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import longshore_side
from bench import Bench
from figures import OURS, PAID, Bar, Contestant, Promise, Reading
from measure import Invocation, NotMeasured, execute, last_line
from scenarios.base import Contender, Scenario, enter_or_excuse

PROBE = Path(__file__).parent.parent / "probes" / "rented.py"


CLOUDS: Mapping[str, str] = {"aws": "AWS", "azure": "Azure", "do": "DigitalOcean", "gcp": "Google Cloud"}
"""Those that there are stand-ins for, by their providers."""


def first_task_scenario(machines: int, provider: str = "aws") -> Scenario:
    """Run a task on each of so many new machines, from the shell prompt, where API and machines answer at once."""
    bars = (
        Bar(subject=OURS, promise=Promise.BELOW, limit=3.0 if machines == 1 else 30.0),
        Bar(subject=OURS, promise=Promise.BELOW, limit=60.0, quantity=PAID),
    )
    where = f"on the stand-in for {CLOUDS[provider]}"
    title = f"until a task has started on {machines} new machine{'s' if machines > 1 else ''}, {where}"
    name = f"{first_task_family(provider)}-{machines}"
    return _scenario(name, title, ("run", provider, str(machines)), bars)


def first_task_family(provider: str) -> str:
    """Name the scenarios of one cloud."""
    return "first-task" if provider == "aws" else f"first-task-{provider}"


def again_scenario() -> Scenario:
    """Run a task on the machine that an earlier run has kept, from the shell prompt; its environment is there."""
    title = "until a task has started on the machine of the run before, on the stand-in for AWS"
    return _scenario(
        "first-task-again", title, ("again", "aws"), (Bar(subject=OURS, promise=Promise.BELOW, limit=3.0),)
    )


def offers_scenario(*providers: str) -> Scenario:
    """List offers that were asked for before; of several clouds together they are to take half a second."""
    where = ", ".join(CLOUDS[each] for each in providers)
    title = f"wall time of longshore offers, from what was asked before, of {where}"
    name = f"offers-{providers[0]}" if len(providers) == 1 else "offers-merged"
    limit = 0.3 if len(providers) == 1 else 0.5
    return _scenario(name, title, ("offers", *providers), (Bar(subject=OURS, promise=Promise.BELOW, limit=limit),))


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
