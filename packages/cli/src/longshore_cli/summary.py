"""How a run stands or has ended, as `run`, `resume` and `status` tell it: counts, and what failed with its proof."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import frozen

from longshore.runtime.history import AttemptInfo, RunInfo, RunReader, TaskInfo
from longshore_cli.output import paint
from longshore_cli.text import clean, counted, counts, duration, last_lines

__all__ = ["Failure", "Summary", "summarize"]

_MOST_SHOWN = 10
_MOST_LINES = 12
_FAILED = ("failed", "lost")


@frozen(kw_only=True)
class Failure:
    """One task that did not succeed: why, and the proof."""

    task: str
    phase: str
    failure: str
    """The failure class; empty when it is not known."""
    outcome: str
    attempts: int
    evidence: tuple[str, ...]
    """The last lines of what is known, safe to show."""
    workdir: str = ""

    @property
    def words(self) -> str:
        """Say it in one line."""
        why = ", ".join(part for part in (self.failure, self.outcome) if part)
        tried = f" ({counted(self.attempts, 'attempt')})" if self.attempts > 1 else ""
        return f"{self.task}  {why or self.phase}{tried}"


@frozen(kw_only=True)
class Summary:
    """A run at a glance, with what failed."""

    info: RunInfo
    failures: tuple[Failure, ...]
    """The first of them; ``info.phases`` has the number of all."""
    undelivered: tuple[str, ...]
    """Why outputs are not in the results folder, though their tasks succeeded."""
    results: Path

    @property
    def failed(self) -> int:
        """How many tasks failed or were lost."""
        return sum(self.info.phases.get(phase, 0) for phase in _FAILED)

    def lines(self) -> Iterator[str]:
        """Tell the summary to people."""
        info = self.info
        for failure in self.failures:
            yield f"{paint('failed', 'bad')}  {failure.words}"
            yield from (f"    {line}" for line in failure.evidence)
        if self.failed > len(self.failures):
            yield f"and {counted(self.failed - len(self.failures), 'more')}: `longshore status --state failed`"
        yield from (f"{paint('not at home', 'bad')}  {problem}" for problem in self.undelivered)
        took = f" in {duration(info.ended - info.started)}" if info.ended is not None else ""
        yield f"run {info.id} {paint(info.state)}{took}: {counts(info.phases) or 'no tasks'}"
        if self.results.is_dir():
            yield f"results: {shown_path(self.results)}/"
        yield from self.remedies()

    def remedies(self) -> Iterator[str]:
        """Say how to go on."""
        info = self.info
        if info.state in {"failed", "cancelled"}:
            if self.failures:
                yield f"why: `longshore explain {quoted(self.failures[0].task)}`"
            yield f"again: `longshore resume {info.id} --retry` tries what did not succeed"
        elif info.resumable:
            yield f"continue: `longshore resume {info.id}`"

    def document(self) -> dict[str, Any]:
        """Tell the summary to programs."""
        info = self.info
        return {
            "run": info.id,
            "workflow": info.workflow,
            "state": info.state,
            "started": info.started,
            "ended": info.ended,
            "seconds": (info.ended - info.started).total_seconds() if info.ended is not None else None,
            "tasks": info.tasks,
            "phases": info.phases,
            "failed": [_document(failure) for failure in self.failures],
            "undelivered": list(self.undelivered),
            "results": str(self.results) if self.results.is_dir() else None,
            "resumable": info.resumable,
        }


def summarize(reader: RunReader, results: Path, *, most: int = _MOST_SHOWN) -> Summary:
    """Read how a run stands; at most ``most`` failures are looked at closely."""
    info = reader.info()
    failures: list[Failure] = []
    for phase in _FAILED:
        if info.phases.get(phase) and len(failures) < most:
            failed = reader.tasks(phase=phase, most=most - len(failures))
            failures += [failure_of(reader, task) for task in failed]
    return Summary(info=info, failures=tuple(failures), undelivered=_undelivered(reader, info), results=results)


def failure_of(reader: RunReader, task: TaskInfo) -> Failure:
    """Look at why one task failed."""
    attempts = list(reader.attempts(task.id))
    ended: AttemptInfo | None = attempts[-1] if attempts else None
    refused = _refusal(reader, task.id)
    if refused or ended is None:
        proof, outcome = refused, ""
    else:
        proof, outcome = ended.evidence, ended.outcome
    return Failure(
        task=task.id,
        phase=task.phase,
        failure=task.failure,
        outcome=clean(outcome),
        attempts=task.attempts,
        # The first line of proof of an ordinary failure is its exit code, which has been said.
        evidence=tuple(line for line in last_lines(proof, _MOST_LINES) if line != outcome),
        workdir=ended.workdir if ended else "",
    )


def _refusal(reader: RunReader, task: str) -> str:
    """Say why a task's inputs, or a machine for it, could not be had, if that is how it ended."""
    from longshore.model.events import AttemptEnded, InputsFailed

    last, reason = 0, ""
    for number, event in reader.events(about=task):
        match event:
            case InputsFailed(task=name, reason=why) if name == task:
                last, reason = number, why
            case AttemptEnded(task=name) if name == task:
                last, reason = number, ""
            case _:
                pass
    refused = list(reader.events(last, kind="TasksRefused", about=task))
    if refused:
        from longshore.model.lease_events import TasksRefused

        for _, event in refused:
            if isinstance(event, TasksRefused) and task in event.tasks:
                reason = event.reason
    return reason


def _undelivered(reader: RunReader, info: RunInfo) -> tuple[str, ...]:
    if info.state == "running":
        return ()
    from longshore.model.events import ResultsDelivered, TableMade

    problems: dict[str, str] = {}
    for kind in ("ResultsDelivered", "TableMade"):
        for _, event in reader.events(kind=kind):
            match event:
                case ResultsDelivered(task=name, problem=problem) | TableMade(name=name, problem=problem):
                    problems[name] = problem
                case _:
                    pass
    return tuple(clean(problem) for problem in problems.values() if problem)


def shown_path(path: Path) -> str:
    """Show a path as it is shortest from here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def quoted(task: str) -> str:
    """Write a task's id as a shell takes it."""
    from shlex import quote

    return quote(task)


def _document(failure: Failure) -> dict[str, Any]:
    return {
        "task": failure.task,
        "phase": failure.phase,
        "class": failure.failure,
        "outcome": failure.outcome,
        "attempts": failure.attempts,
        "evidence": list(failure.evidence),
        "workdir": failure.workdir,
    }
