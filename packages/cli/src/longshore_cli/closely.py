"""How `status` shows single tasks of a run closely, with their attempts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from longshore.model.events import AttemptEnded
from longshore.model.outcome import describe_outcome
from longshore.model.quantity import format_size
from longshore.runtime.history import RunReader
from longshore_cli.invocation import Invocation
from longshore_cli.output import answer, answer_json, paint
from longshore_cli.standing import info_of, listing
from longshore_cli.story import Replayed, Story
from longshore_cli.text import clean, duration, last_lines, moment

__all__ = ["attempt_document", "show_tasks"]

_MOST_CLOSELY = 3
"""Of more tasks than this only a list is shown."""


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
        answer(listing([info_of(task) for task in found]))
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
