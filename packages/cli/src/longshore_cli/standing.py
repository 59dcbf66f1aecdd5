"""How `status` shows a run, or a list of its tasks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from longshore.runtime.history import RunReader, TaskInfo
from longshore.runtime.project import Project
from longshore_cli.invocation import Invocation
from longshore_cli.living import living_leases, said_of
from longshore_cli.output import answer, answer_json, paint, say
from longshore_cli.places import find_project, sort_words
from longshore_cli.scheduling.verbs import scheduled_in
from longshore_cli.summary import summarize
from longshore_cli.text import clean, counted, duration, moment, table

if TYPE_CHECKING:
    from longshore.scheduler.state import TaskState

__all__ = ["info_of", "listing", "show_listed", "show_run", "target"]

_MOST_RUNNING = 20


def target(folder: Path | None, run: str | None, words: Sequence[str]) -> tuple[Project, RunReader, tuple[str, ...]]:
    """Find the run and the names of tasks that are meant.

    Raises:
        UsageError: when there is no such run.
    """
    project = find_project(folder)
    wanted, names = sort_words(project, run, words, lambda found, word: _has_task(project, found, word))
    return project, RunReader(project.run_folder(project.find_run(wanted))), names


def _has_task(project: Project, run: str, word: str) -> bool:
    reader = RunReader(project.run_folder(run))
    written = word.partition("[")[0]
    return any(spec.name == written for spec in reader.workflow().tasks)


def show_run(project: Project, reader: RunReader, invocation: Invocation) -> None:
    """Show a run: counts, what runs, what failed, how to go on."""
    run = reader.folder.name
    summary = summarize(reader, project.results(run))
    info = summary.info
    if invocation.json:
        leased = [{"lease": each.id, "phase": each.phase, "machine": each.machine} for each in living_leases(run)]
        out_of_reach = [
            {"machine": name, "until": gone.over_by, "reason": clean(gone.reason)}
            for name, gone in reader.out_of_reach().items()
        ]
        schedules = [each.document() for each in scheduled_in(project.folder)]
        answer_json(summary.document() | {"leases": leased, "out_of_reach": out_of_reach, "schedules": schedules})
        return
    now = datetime.now(UTC)
    took = duration((info.ended or now) - info.started)
    since = f"ended after {took}" if info.ended is not None else f"began {took} ago"
    answer(f"workflow {clean(info.workflow)}: {counted(info.tasks, 'task')}, {since} ({moment(info.started)})")
    running = info.phases.get("running", 0)
    for task in reader.tasks(phase="running", most=_MOST_RUNNING) if running else ():
        answer(f"{paint('running')}  {task.id}  on {task.machine}")
    if running > _MOST_RUNNING:
        answer(f"and {counted(running - _MOST_RUNNING, 'more')}: `longshore status --state running`")
    for name, gone in reader.out_of_reach().items():
        since = f"out of reach; what it has is run elsewhere from {moment(gone.over_by)} on: {clean(gone.reason)}"
        answer(f"{paint('lost')}  {name}  {since}")
    for line in summary.lines():
        answer(line)
    for line in _said_of_seat(project, run, info.state):
        answer(line)
    leases = living_leases(run)
    if leases:
        answer(f"{said_of(leases, now)}: `longshore machines list`")
    for each in scheduled_in(project.folder):
        words = " ".join(each.entry.words)
        answer(f"scheduled: {each.entry.name}, {each.entry.when.text}: {clean(words)}; next {moment(each.next)}")


def _said_of_seat(project: Project, run: str, state: str) -> list[str]:
    """Say of a run that somebody keeps here where all of it is when it is over, or why its controller does not live."""
    if not (project.home / "seat").is_dir():
        return []
    from longshore_cli.away.orders import is_over, last_words, order_of, said_of_seat, seat_of

    words = last_words(project, run) if state == "unfinished" else ""
    seat = seat_of(project, run, order_of(project, run), over=is_over(project, run))
    found = [f"its controller has ended: {words}" if words else "", said_of_seat(seat)]
    return [clean(each) for each in found if each]


def show_listed(
    project: Project, reader: RunReader, state: str | None, machine: str | None, invocation: Invocation
) -> None:
    """List the tasks in a state, or of a machine."""
    listed = reader.tasks(phase=state, machine=machine)
    if state == "waiting" and machine is None:
        listed = _all_waiting(reader)
    if invocation.json:
        summary = summarize(reader, project.results(reader.folder.name))
        answer_json(summary.document() | {"listed": [_row_document(task) for task in listed]})
    elif listed:
        answer(listing(listed))
    else:
        where = f" on {machine}" if machine else ""
        say(f"No task of run {reader.folder.name} is {state or 'known'}{where}.")


def _all_waiting(reader: RunReader) -> list[TaskInfo]:
    """List also those to which nothing has happened yet, which the tables do not have."""
    from longshore_cli.story import Replayed

    return [info_of(task) for task in Replayed(reader).state.tasks.values() if task.phase == "waiting"]


def info_of(task: TaskState) -> TaskInfo:
    """Say where a task of a replayed run stands, as the tables would."""
    return TaskInfo(
        id=task.task.id,
        phase=task.phase.value,
        attempts=task.attempts,
        machine=task.machine,
        failure=task.failure.value if task.failure else "",
    )


def listing(tasks: Sequence[TaskInfo]) -> str:
    """Show tasks, a line each."""
    rows = [[paint(task.phase), task.id, str(task.attempts), task.machine, task.failure] for task in tasks]
    return table(rows, ["STATE", "TASK", "ATTEMPTS", "MACHINE", "FAILURE"])


def _row_document(task: TaskInfo) -> dict[str, Any]:
    return {
        "task": task.id,
        "phase": task.phase,
        "attempts": task.attempts,
        "machine": task.machine,
        "class": task.failure,
    }
