"""The runs of the project, the newest first; and what is scheduled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from attrs import frozen

from longshore.runtime.history import RunInfo
from longshore_cli.report.html import Html, element, table
from longshore_cli.scheduling.verbs import Scheduled
from longshore_cli.text import ago, clean, counts, duration, moment
from longshore_web.frame import framed
from longshore_web.html import address, link, pager, state

__all__ = ["Line", "history_page", "schedules_page"]


@frozen(kw_only=True)
class Line:
    """A run, or why it cannot be read."""

    run: str
    info: RunInfo | None
    problem: str = ""


def history_page(
    folder: str, lines: Sequence[Line], now: datetime, *, skip: int, most: int, total: int, actions: Html
) -> str:
    """Write the list of runs."""
    header = element("h1", "Runs ", element("small", folder))
    if not lines:
        main: Iterable[Html] = [element("p", "There are no runs yet."), actions]
    else:
        rows = [_row(line, now) for line in lines]
        headings = ["run", "workflow", "state", "started", "took", "tasks"]
        main = [table("Runs, the newest first", headings, rows), pager(skip, most, total, (), {}), actions]
    return framed(f"Runs in {folder}", header, main, changes="/changes")


def _row(line: Line, now: datetime) -> list[str | Html]:
    info = line.info
    if info is None:
        return [line.run, "", state("damaged"), "", "", clean(line.problem)]
    went_on = info.ended is not None or info.state == "running"
    took = duration((info.ended or now) - info.started) if went_on else ""
    begun = element("span", ago(info.started, now), title=moment(info.started))
    name = link(info.id, address("runs", info.id))
    return [name, info.workflow, state(info.state), begun, took, counts(info.phases)]


def schedules_page(scheduled: Sequence[Scheduled]) -> str:
    """Write the list of schedules."""
    header = element("h1", "Schedules")
    if scheduled:
        rows = [
            [
                each.entry.name,
                each.entry.when.text,
                each.shown_next,
                each.by,
                str(each.entry.folder),
                " ".join(each.entry.words),
            ]
            for each in scheduled
        ]
        headings = ["name", "when", "next", "by", "folder", "command"]
        found = table("What is scheduled on this computer for this user", headings, rows)
    else:
        found = element("p", "Nothing is scheduled.")
    how = element(
        "p",
        "To end what was forgotten each hour, or each night: ",
        element("code", "longshore gc --install-timer"),
        ", ",
        element("code", "longshore schedule add nightly 02:00 gc --wait"),
    )
    return framed("Schedules", header, [found, how])
