"""One task: how it stands, what it executes, its attempts with their proofs, what it made and where that went."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from attrs import frozen

from longshore.model.command import Argv, Call, Shell
from longshore.model.quantity import format_size
from longshore.model.task import TaskSpec, UrlInput
from longshore.runtime.history import AttemptInfo, TaskInfo
from longshore.runtime.output_rows import MoveRow, OutputRow
from longshore_cli.report.html import Html, details, element, table
from longshore_cli.text import clean, duration, last_lines, moment
from longshore_web.frame import View, run_page
from longshore_web.html import NOTHING, facts, link, state

__all__ = ["Told", "artifact_rows", "artifacts_table", "command_text", "moves_table", "task_page"]

_MOST_LINES = 50


@frozen(kw_only=True)
class Told:
    """What is known of one task."""

    info: TaskInfo
    spec: TaskSpec | None
    attempts: Sequence[AttemptInfo]
    """Those that are over."""
    outputs: Sequence[OutputRow]
    moves: Sequence[MoveRow]
    refused: str = ""
    """Why it could not begin."""


def task_page(view: View, told: Told, actions: Html) -> str:
    """Write the page of a task."""
    title = f"{told.info.id}, {view.overview.info.workflow}, {view.run}"
    return run_page(view, "tasks", _parts(view, told, actions), title=title, heading=told.info.id)


def _parts(view: View, told: Told, actions: Html) -> Iterator[Html]:
    yield facts(_facts(view, told))
    yield element("div", actions, class_="actions")
    yield element("h3", "Attempts")
    yield _attempts(view, told)
    yield element("h3", "Artifacts")
    yield artifacts_table(view, told.outputs) if told.outputs else element("p", "It has made nothing that is declared.")
    if told.moves:
        yield moves_table(view, told.moves)


def _facts(view: View, told: Told) -> Iterator[tuple[str, str | Html]]:
    info, spec = told.info, told.spec
    yield "State", state(info.phase)
    if info.failure:
        yield "Class", info.failure
    if told.refused:
        yield "Inputs", element("pre", clean(told.refused))
    if info.machine:
        yield "Machine", link(info.machine, view.to("tasks", machine=info.machine))
    if spec is None:
        return
    yield "Command", element("pre", command_text(spec))
    inputs = [item.url if isinstance(item, UrlInput) else item.path for item in spec.inputs]
    lists = [("Inputs", inputs), ("Outputs", spec.outputs), ("After", spec.after)]
    yield from ((name, ", ".join(words)) for name, words in lists if words)
    yield from ((name, word) for name, word in [("Pool", spec.pool), ("Environment", spec.environment)] if word)


def command_text(spec: TaskSpec) -> str:
    """Show what a task executes."""
    match spec.command:
        case Shell(text):
            return text
        case Argv(args):
            from shlex import join  # noqa: PLC0415  as a shell would take it

            return join(args)
        case Call(function=function):
            return f"Python: {function}"


def _attempts(view: View, told: Told) -> Html:
    rows: list[list[str | Html]] = [_attempt(view, each) for each in told.attempts]
    info = told.info
    if info.attempts > (told.attempts[-1].attempt if told.attempts else 0):
        rows.append([str(info.attempts), info.phase, "", "", "", "", _log(view, info.id, info.attempts), ""])
    if not rows:
        return element("p", "There was none.")
    headings = ["attempt", "how it ended", "class", "began", "took", "cpu and memory", "log", "proof"]
    return table(f"Attempts of {info.id}", headings, rows, numbers=(4,), words=(7,))


def _attempt(view: View, each: AttemptInfo) -> list[str | Html]:
    used = f"{each.cpu_seconds:.2f} s, {format_size(each.peak_memory_bytes)}" if each.peak_memory_bytes else ""
    return [
        str(each.attempt),
        each.outcome,
        each.failure,
        moment(each.started),
        "" if each.duration is None else duration(each.duration),
        used,
        _log(view, each.task, each.attempt),
        _proof(each),
    ]


def _log(view: View, task: str, attempt: int) -> Html:
    return link("log", view.to("log", id=task, attempt=attempt), aria_label=f"log of attempt {attempt}")


def _proof(each: AttemptInfo) -> Html:
    lines = last_lines(each.evidence, _MOST_LINES)
    place = element("p", f"Kept in {each.workdir}") if each.workdir else NOTHING
    return element("div", details(lines[-1], "\n".join(lines)), place) if lines else place


def artifact_rows(view: View, outputs: Sequence[OutputRow]) -> list[list[str | Html]]:
    """Make a row of each output."""
    return [
        [
            view.task(each.task),
            each.path or "what the call returned",
            each.kind,
            format_size(each.size_bytes),
            element("code", each.sha256[:16], title=each.sha256) if each.sha256 else each.value[:200],
            each.source and link(each.source, f"/runs/{each.source}"),
        ]
        for each in outputs
    ]


def artifacts_table(view: View, outputs: Sequence[OutputRow], caption: str = "What was made") -> Html:
    """Show outputs."""
    headings = ["task", "path", "kind", "size", "digest or value", "made in run"]
    return table(caption, headings, artifact_rows(view, outputs), numbers=(3,), words=(1,))


def moves_table(view: View, moves: Sequence[MoveRow], caption: str = "Where it went") -> Html:
    """Show moves of outputs, and of objects that no task wrote."""
    began = view.overview.info.started.timestamp()
    rows: list[list[str | Html]] = [
        [
            view.task(each.task) if each.task else "",
            each.machine,
            each.target or "the project's store",
            format_size(each.size_bytes),
            moment(datetime.fromtimestamp(each.at, UTC)),
            duration(timedelta(seconds=max(0.0, each.at - began))),
        ]
        for each in moves
    ]
    headings = ["task", "from", "to", "size", "there at", "into the run"]
    return table(caption, headings, rows, numbers=(3, 5))
