"""How `top` learns what machines use: from the run's controller, to which they tell it while somebody looks."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import define, field

from longshore.errors import RunError
from longshore.model.attempt import environment_of, split_attempt_id
from longshore.runtime.asking import Events
from longshore.runtime.history import RunReader
from longshore_cli.invocation import Invocation
from longshore_cli.output import answer, answer_json, is_terminal, say
from longshore_cli.places import find_project
from longshore_cli.text import clean, table

__all__ = ["ATTEMPT_HEADINGS", "MACHINE_HEADINGS", "Moment", "show"]

_PATIENCE_SECONDS = 5.0
"""So long a machine is waited for when one moment is to be shown."""

MACHINE_HEADINGS = ("MACHINE", "POOL", "CPU", "MEMORY", "DISK", "ATTEMPTS")
ATTEMPT_HEADINGS = ("TASK", "ATTEMPT", "MACHINE", "CPU", "MEMORY", "WRITTEN")

_Body = Mapping[str, Any]


@define
class Moment:
    """What is known now."""

    run: str
    machines: dict[str, dict[str, Any]] = field(factory=dict[str, dict[str, Any]])

    def take(self, told: _Body) -> None:
        """Let something that a machine has told count."""
        if told.get("gone"):
            self.machines.pop(told["machine"], None)
        else:
            self.machines[told["machine"]] = {**self.machines.get(told["machine"], {}), **told}

    @property
    def whole(self) -> bool:
        """Whether all machines have told something."""
        return bool(self.machines) and all("load" in each for each in self.machines.values())

    def machine_documents(self) -> list[dict[str, Any]]:
        """Give a row for each machine."""
        return [
            {
                "machine": name,
                "pool": each["pool"],
                "cores": each["cores"],
                "cpus": each.get("load", {}).get("cpus"),
                **_used(each, "memory"),
                **_used(each, "disk"),
            }
            for name, each in sorted(self.machines.items())
        ]

    def attempt_documents(self) -> list[dict[str, Any]]:
        """Give a row for each attempt that runs, those that keep most cores busy first."""
        rows = [
            {**_named(load["attempt"]), "machine": name, **{key: load[key] for key in load if key != "attempt"}}
            for name, each in self.machines.items()
            for load in each.get("load", {}).get("attempts", ())
        ]
        return sorted(rows, key=lambda row: (-(row["cpus"] or 0), -(row["memory_bytes"] or 0), row["task"]))

    def machine_rows(self) -> list[list[str]]:
        """Give what is shown of each machine."""
        counts = {name: len(each.get("load", {}).get("attempts", ())) for name, each in self.machines.items()}
        return [
            [
                clean(row["machine"]),
                clean(row["pool"]),
                f"{_cores(row['cpus'])} / {row['cores']:g}",
                f"{_size(row['memory_bytes'])} / {_size(row['memory_total_bytes'])}",
                f"{_size(row['disk_bytes'])} / {_size(row['disk_total_bytes'])}",
                str(counts[row["machine"]]),
            ]
            for row in self.machine_documents()
        ]

    def attempt_rows(self) -> list[list[str]]:
        """Give what is shown of each attempt."""
        return [
            [
                clean(row["task"]),
                str(row["attempt"]),
                clean(row["machine"]),
                _cores(row["cpus"]),
                _size(row["memory_bytes"]),
                _size(row["written_bytes"]),
            ]
            for row in self.attempt_documents()
        ]


def _used(machine: _Body, what: str) -> dict[str, Any]:
    used = machine.get("load", {}).get(what) or {}
    return {f"{what}_bytes": used.get("bytes"), f"{what}_total_bytes": used.get("of")}


def _named(identity: str) -> dict[str, Any]:
    _, task, number = split_attempt_id(identity)
    environment = environment_of(task)
    return {"task": f"environment {environment}" if environment else task, "attempt": number}


def _cores(count: float | None) -> str:
    return "?" if count is None else f"{count:.2f}"


def _size(size_bytes: int | None) -> str:
    from longshore.model.quantity import format_size

    return "?" if size_bytes is None else format_size(size_bytes)


def show(invocation: Invocation, folder: Path | None, run: str | None) -> int:
    """Show what is used now, or on a terminal from now on; give the exit code.

    Raises:
        RunError: when the run has ended, or has no controller.
    """
    project = find_project(folder)
    place = project.run_folder(project.find_run(run))
    state = RunReader(place).info().state
    if state in {"succeeded", "failed", "cancelled"}:
        raise RunError(f"run {place.name} has {state}, so nothing of it is running; `longshore status` says how it was")
    if invocation.json or not is_terminal(sys.stdout):
        _show_once(invocation, place)
        return 0
    with Events(place, op="watch") as told:
        _watch(told, Moment(place.name))
    return 0


def _show_once(invocation: Invocation, place: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    with Events(place, op="watch", silence=_PATIENCE_SECONDS) as told:
        for moment in _moments(told, Moment(place.name)):
            if moment.whole or time.monotonic() > deadline:
                break
    if invocation.json:
        machines, attempts = moment.machine_documents(), moment.attempt_documents()
        answer_json({"run": moment.run, "machines": machines, "attempts": attempts})
        return
    if not moment.machines:
        say(f"No machine of run {moment.run} is linked yet.")
        return
    answer(table(moment.machine_rows(), MACHINE_HEADINGS, right=[2, 3, 4, 5]))
    rows = moment.attempt_rows()
    if rows:
        answer("")
        answer(table(rows, ATTEMPT_HEADINGS, right=[1, 3, 4, 5]))


def _moments(told: Events, moment: Moment) -> Iterator[Moment]:
    """Give what is known at first, and after each thing that is told."""
    machines: Sequence[_Body] = told.answer["machines"]
    for each in machines:
        moment.take(each)
    yield moment
    for each in told:
        moment.take(each)
        yield moment


def _watch(told: Events, moment: Moment) -> None:
    from longshore_cli.view.top import TopDisplay

    try:
        with TopDisplay(sys.stdout) as display:
            for each in _moments(told, moment):
                display.draw(each)
    except KeyboardInterrupt:
        return  # the way to say that one has seen enough
    say(f"Nobody controls run {moment.run} any more.")
