"""What the page of `longshore web` costs, and how soon it shows what has happened."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import longshore_side
from bench import Bench
from figures import CORE, OURS, WALL, Bar, Contestant, Promise, Reading
from measure import Invocation, NotMeasured, execute, last_line
from scenarios.base import Contender, Scenario, enter_or_excuse
from shapes import fan

PROBE = Path(__file__).parent.parent / "probes" / "page.py"
_SMALL = 100


def page_scenario(tasks: int) -> Scenario:
    """Open the page of a finished run for the first time."""
    return _scenario(f"page-{tasks}", f"first view of the page of a run of {tasks:,} tasks", "first", WALL, 1.0, tasks)


def page_idle_scenario() -> Scenario:
    """Leave a page open, of a run that is over."""
    title = "processor use of the server while a page is open and nothing happens"
    return _scenario("page-idle", title, "idle", CORE, 1.0, _SMALL)


def page_event_scenario() -> Scenario:
    """Follow a run on its page."""
    return _scenario("page-event", "from the end of an attempt until the page shows it", "event", WALL, 0.5, 0)


def _scenario(name: str, title: str, word: str, quantity: str, below: float, tasks: int) -> Scenario:
    def enter(bench: Bench) -> Sequence[Contender | Contestant]:
        def contender() -> Contender:
            probe = longshore_side.probe(bench, PROBE, word, plugin=longshore_side.WEB)
            run = longshore_side.runner(bench, fan(tasks)) if tasks else None

            def set_up(folder: Path) -> None:
                if run is not None:
                    execute(run(folder))

            def measure(folder: Path) -> Reading:
                return {quantity: _printed(probe(folder))}

            return Contender(name=OURS, label="longshore web", measure=measure, set_up=set_up if tasks else None)

        return [enter_or_excuse(OURS, "longshore web", contender)]

    bar = Bar(subject=OURS, promise=Promise.BELOW, limit=below, quantity=quantity)
    return Scenario(name=name, title=title, tasks=None, enter=enter, bars=(bar,))


def _printed(command: Invocation) -> float:
    """Read what the probe itself has measured and printed as its last line."""
    execute(command)
    said = last_line(command.folder / "output.log")
    try:
        return float(said)
    except ValueError:
        raise NotMeasured(f"the probe said {said!r}") from None
