"""The words of `explain`: why a task ran or did not, and what was done about its failures."""

from __future__ import annotations

from collections.abc import Iterator

from longshore.model.events import AttemptEnded
from longshore.model.outcome import Cancelled, Exited, FailureClass, Lost, describe_outcome
from longshore.runtime.history import RunReader
from longshore.scheduler.state import TaskPhase
from longshore_cli.closely import attempt_document
from longshore_cli.invocation import Invocation
from longshore_cli.output import answer, answer_json, paint
from longshore_cli.story import Replayed, Story
from longshore_cli.text import clean, counted, duration, last_lines, moment

__all__ = ["done_about", "explain", "why"]

_MOST = 20
_MOST_LINES = 20


def explain(reader: RunReader, name: str, invocation: Invocation) -> None:
    """Explain a task, or all members of a task as written.

    Raises:
        UsageError: when there is no such task.
    """
    run = Replayed(reader)
    found = run.find(name)
    if invocation.json:
        documents = []
        for story in map(run.story, found):
            attempts = [
                attempt_document(ended) | {"done": done_about(story, number)}
                for number, ended in enumerate(story.attempts)
            ]
            task = story.task
            documents.append({"task": task.task.id, "phase": task.phase.value, "why": why(story), "attempts": attempts})
        answer_json({"run": reader.folder.name, "tasks": documents})
        return
    for task in found[:_MOST]:
        story = run.story(task)
        answer(f"{task.task.id}  {paint(task.phase.value)}")
        for line in _lines(story):
            answer(f"  {line}")
    if len(found) > _MOST:
        answer(f"and {counted(len(found) - _MOST, 'more member')}: name one of them")


def _lines(story: Story) -> Iterator[str]:
    yield why(story)
    for number, ended in enumerate(story.attempts):
        took = ""
        if ended.started_at is not None and ended.ended_at is not None:
            took = f" after {duration(ended.ended_at - ended.started_at)}"
        if ended.failure is None:
            yield f"attempt {ended.attempt}: {clean(describe_outcome(ended.outcome))}{took}"
        else:
            yield f"attempt {ended.attempt}: {ended.failure.value}, {clean(describe_outcome(ended.outcome))}{took}"
        if ended.failure is not None or not isinstance(ended.outcome, Exited):
            yield from (f"    {line}" for line in last_lines(ended.evidence, _MOST_LINES))
        done = done_about(story, number)
        if done:
            yield f"    -> {done}"
    if story.workdir and story.task.phase in {TaskPhase.FAILED, TaskPhase.LOST}:
        yield f"its workdir is kept: {story.workdir}"


def why(story: Story) -> str:
    """Say in one sentence why a task ran, or did not."""
    match story.task.phase:
        case TaskPhase.UP_TO_DATE:
            return f"it did not run: it succeeded with the same identity in run {story.source}"
        case TaskPhase.SKIPPED:
            cause = ", ".join(story.waits_for) or "something that it waits for"
            return f"it did not run, because of {cause}"
        case TaskPhase.WAITING if story.waits_for:
            return f"it waits for {', '.join(story.waits_for)}"
        case TaskPhase.WAITING if story.task.identity and story.room:
            return f"it waits for a machine: {clean(story.room)}"
        case _ if story.parted is not None:
            parted = story.parted
            return (
                f"its machine {story.task.machine} is out of reach ({clean(parted.reason)}): it goes on when that "
                f"comes back, and is tried elsewhere after {moment(parted.until)}, when nothing of it runs there"
            )
        case TaskPhase.WAITING if story.out_of_reach and story.task.identity:
            return f"it waits for a machine: {', '.join(story.out_of_reach)} cannot be reached"
        case TaskPhase.WAITING if not story.attempts:
            return (
                "it waits for room on a machine" if story.task.identity else "it waits for its inputs to be looked at"
            )
        case TaskPhase.CANCELLED if not story.attempts:
            return "it did not run: it was cancelled before it began"
        case _ if story.refused:
            return f"it did not run: {clean(story.refused)}"
        case _ if story.uncached:
            return "it had to run: the run was begun with --no-cache"
        case _ if story.reason:
            return f"it had to run: {clean(story.reason)}"
        case _:
            return "it had to run: it had never succeeded before"


def done_about(story: Story, number: int) -> str:
    """Say what followed upon an attempt that did not succeed; empty for one that did."""
    ended = story.attempts[number]
    last = number == len(story.attempts) - 1
    match ended.outcome:
        case Cancelled():
            return "it was asked for" if last and story.task.phase is TaskPhase.CANCELLED else "it was tried again"
        case Lost() if ended.failure is None:
            return "it did not count as an attempt, and the task was put back"
        case _ if ended.failure is None:
            return ""
        case _:
            return _after_failure(story, ended, ended.failure, last=last)


def _after_failure(story: Story, ended: AttemptEnded, failure: FailureClass, *, last: bool) -> str:
    policy = story.task.task.spec.retry
    budget = policy.budget(failure)
    used = sum(1 for each in story.attempts if each.failure is failure and each.attempt <= ended.attempt)
    spent = f"{used} of {counted(budget, 'attempt')} that may end by {failure.value}"
    if not last:
        wait = policy.wait(failure, used)
        return f"tried again{f' after {duration(wait)}' if wait else ''} ({spent})"
    if story.task.phase in {TaskPhase.FAILED, TaskPhase.LOST}:
        return f"given up ({spent})"
    return f"to be tried again ({spent})"
