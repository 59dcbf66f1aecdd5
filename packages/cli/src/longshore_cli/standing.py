"""How `status` shows a run, a list of its tasks, or one of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from longshore.model.events import AttemptEnded
from longshore.model.outcome import describe_outcome
from longshore.model.quantity import format_size
from longshore.runtime.history import RunReader, TaskInfo
from longshore.runtime.project import Project
from longshore_cli.invocation import Invocation
from longshore_cli.living import living_leases, said_of
from longshore_cli.output import answer, answer_json, paint, say
from longshore_cli.places import find_project, sort_words
from longshore_cli.scheduling.verbs import scheduled_in
from longshore_cli.story import Replayed, Story
from longshore_cli.summary import summarize
from longshore_cli.text import clean, counted, duration, last_lines, moment, table

__all__ = ["attempt_document", "show_listed", "show_run", "show_tasks", "target"]

_MOST_RUNNING = 20
_MOST_CLOSELY = 3
"""Of more tasks than this only a list is shown."""


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
    running = reader.tasks(phase="running") if info.phases.get("running") else []
    for task in running[:_MOST_RUNNING]:
        answer(f"{paint('running')}  {task.id}  on {task.machine}")
    if len(running) > _MOST_RUNNING:
        answer(f"and {counted(len(running) - _MOST_RUNNING, 'more')}: `longshore status --state running`")
    for name, gone in reader.out_of_reach().items():
        since = f"out of reach; what it has is run elsewhere from {moment(gone.over_by)} on: {clean(gone.reason)}"
        answer(f"{paint('lost')}  {name}  {since}")
    for line in summary.lines():
        answer(line)
    leases = living_leases(run)
    if leases:
        answer(f"{said_of(leases, now)}: `longshore machines list`")
    for each in scheduled_in(project.folder):
        words = " ".join(each.entry.words)
        answer(f"scheduled: {each.entry.name}, {each.entry.when.text}: {clean(words)}; next {moment(each.next)}")


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
        answer(_listing(listed))
    else:
        where = f" on {machine}" if machine else ""
        say(f"No task of run {reader.folder.name} is {state or 'known'}{where}.")


def _all_waiting(reader: RunReader) -> list[TaskInfo]:
    """List also those to which nothing has happened yet, which the tables do not have."""
    return [_info(task) for task in Replayed(reader).state.tasks.values() if task.phase == "waiting"]


def _info(task: Any) -> TaskInfo:
    return TaskInfo(
        id=task.task.id,
        phase=task.phase.value,
        attempts=task.attempts,
        machine=task.machine,
        failure=task.failure.value if task.failure else "",
    )


def _listing(tasks: Sequence[TaskInfo]) -> str:
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


def show_tasks(reader: RunReader, name: str, invocation: Invocation) -> None:
    """Show a task closely, or list the members of a task as written.

    Raises:
        UsageError: when there is no such task.
    """
    run = Replayed(reader)
    found = run.find(name)
    if invocation.json:
        answer_json({"run": reader.folder.name, "tasks": [_document(run.story(task)) for task in found]})
    elif len(found) > _MOST_CLOSELY:
        answer(_listing([_info(task) for task in found]))
    else:
        for task in found:
            _show_story(run.story(task))


def _show_story(story: Story) -> None:
    task = story.task
    failure = f" ({task.failure.value})" if task.failure is not None else ""
    answer(f"{task.task.id}  {paint(task.phase.value)}{failure}")
    facts: list[tuple[str, str]] = []
    if task.machine:
        facts.append(("machine", f"{task.machine} (pool {task.pool})"))
    if story.workdir:
        facts.append(("workdir", story.workdir))
    if story.waits_for:
        facts.append(("waits for" if task.phase == "waiting" else "because of", ", ".join(story.waits_for)))
    if task.delayed_until is not None:
        facts.append(("again", moment(task.delayed_until)))
    if story.parted is not None:
        facts.append(("parted", f"{task.machine} is out of reach; tried elsewhere after {moment(story.parted.until)}"))
    if story.source:
        facts.append(("since run", story.source))
    if story.refused:
        facts.append(("inputs", clean(story.refused)))
    if story.started is not None:
        facts.append(("running", f"for {duration(datetime.now(UTC) - story.started)} (attempt {task.attempts})"))
    facts += [(f"attempt {ended.attempt}", _attempt_words(ended)) for ended in story.attempts]
    for name, value in facts:
        answer(f"  {name:<10}  {value}")


def _attempt_words(ended: AttemptEnded) -> str:
    words = [clean(describe_outcome(ended.outcome))]
    if ended.failure is not None:
        words.insert(0, ended.failure.value)
    if ended.started_at is not None and ended.ended_at is not None:
        words.append(f"took {duration(ended.ended_at - ended.started_at)}")
    if ended.usage is not None:
        words.append(f"{ended.usage.cpu_seconds:.2f} s of cpu, {format_size(ended.usage.peak_memory_bytes)} at most")
    return ", ".join(words)


def _document(story: Story) -> dict[str, Any]:
    task = story.task
    return {
        "task": task.task.id,
        "phase": task.phase.value,
        "machine": task.machine,
        "pool": task.pool,
        "class": task.failure.value if task.failure is not None else "",
        "workdir": story.workdir,
        "waits_for": list(story.waits_for),
        "up_to_date_since": story.source,
        "started": story.started,
        "parted_until": story.parted.until if story.parted is not None else None,
        "attempts": [attempt_document(ended) for ended in story.attempts],
    }


def attempt_document(ended: AttemptEnded) -> dict[str, Any]:
    """Tell an attempt that is over to programs."""
    return {
        "attempt": ended.attempt,
        "outcome": clean(describe_outcome(ended.outcome)),
        "class": ended.failure.value if ended.failure is not None else "",
        "started": ended.started_at,
        "ended": ended.ended_at,
        "cpu_seconds": ended.usage.cpu_seconds if ended.usage is not None else None,
        "peak_memory_bytes": ended.usage.peak_memory_bytes if ended.usage is not None else None,
        "workdir": ended.workdir,
        "evidence": last_lines(ended.evidence, 50),
    }
