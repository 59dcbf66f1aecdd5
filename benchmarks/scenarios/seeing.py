"""What the page of `longshore web` costs, and how soon it and a terminal show what has happened."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import longshore_side
from bench import Bench
from figures import AIRFLOW, CORE, OURS, SHELL, WALL, WHOLE, Bar, Contestant, Promise, Reading
from measure import Invocation, NotMeasured, execute, last_line
from scenarios.base import Contender, Scenario, enter_or_excuse
from shapes import fan

PROBES = Path(__file__).parent.parent / "probes"
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


def terminal_scenario(command: str, title: str) -> Scenario:
    """Follow a run on a terminal."""

    def enter(bench: Bench) -> Sequence[Contender | Contestant]:
        def contender() -> Contender:
            probe = longshore_side.terminal_probe(bench, PROBES / "terminal.py", command)
            return Contender(name=OURS, label=label, measure=lambda folder: {WALL: _printed(probe(folder))})

        return [enter_or_excuse(OURS, label, contender)]

    label = f"longshore {command}"
    bar = Bar(subject=OURS, promise=Promise.BELOW, limit=0.5)
    return Scenario(name=f"terminal-{command}", title=title, tasks=None, enter=enter, bars=(bar,))


def airflow_scenario() -> Scenario:
    """Run a workflow as a task of a DAG: what is left when Airflow's own part and the workflow's are taken off."""

    def enter(bench: Bench) -> Sequence[Contender | Contestant]:
        def contender() -> Contender:
            probe = longshore_side.airflow_probe(bench, PROBES / "in_airflow.py")

            def measure(folder: Path) -> Reading:
                execute(probe(folder))
                told = json.loads(last_line(folder / "output.log"))
                return {WALL: told["added"], WHOLE: told["whole"], AIRFLOW: told["airflow"], SHELL: told["shell"]}

            return Contender(name=OURS, label=label, measure=measure)

        return [enter_or_excuse(OURS, label, contender)]

    label = "LongshoreRunOperator"
    bar = Bar(subject=OURS, promise=Promise.BELOW, limit=2.0)
    title = "what the operator of Airflow adds to a run"
    return Scenario(name="airflow-run", title=title, tasks=None, enter=enter, bars=(bar,), most_rounds=1)


def _scenario(name: str, title: str, word: str, quantity: str, below: float, tasks: int) -> Scenario:
    def enter(bench: Bench) -> Sequence[Contender | Contestant]:
        def contender() -> Contender:
            probe = longshore_side.probe(bench, PROBES / "page.py", word, plugin=longshore_side.WEB)
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
