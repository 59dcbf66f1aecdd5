"""The tasks of a run, page by page, narrowed by state, name, machine or a part of the id."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import asdict, frozen

from longshore.runtime.history import TaskInfo
from longshore.runtime.overview import TaskPage
from longshore.scheduler.state import TaskPhase
from longshore_cli.report.html import Html, element, table
from longshore_web.frame import View, run_page
from longshore_web.html import address, link, menu, pager, search_field, state, void

__all__ = ["Wanted", "tasks_page"]


@frozen(kw_only=True)
class Wanted:
    """Which tasks are meant; what is empty narrows nothing."""

    phase: str = ""
    name: str = ""
    machine: str = ""
    search: str = ""
    skip: int = 0


def tasks_page(view: View, wanted: Wanted, found: TaskPage, most: int) -> str:
    """Write a page of tasks."""
    return run_page(view, "tasks", _parts(view, wanted, found, most))


def _parts(view: View, wanted: Wanted, found: TaskPage, most: int) -> Iterator[Html]:
    yield _form(view, wanted)
    if not found.tasks:
        yield element("p", "There is no such task.")
        return
    # What stands behind a machine or a past moment must not go lost on the way to the next page.
    query = {**asdict(wanted), "skip": None, "at": view.at}
    rows = [_row(view, task) for task in found.tasks]
    headings = ["task", "state", "class", "attempts", "machine", "log"]
    yield pager(wanted.skip, most, found.total, ("runs", view.run, "tasks"), query)
    yield table(f"{found.total:,} of {view.overview.info.tasks:,} tasks", headings, rows, numbers=(3,))


def _row(view: View, task: TaskInfo) -> list[str | Html]:
    log: str | Html = link("log", view.to("log", id=task.id), aria_label=f"log of {task.id}") if task.attempts else ""
    return [view.task(task.id), state(task.phase), task.failure, str(task.attempts), task.machine, log]


def _form(view: View, wanted: Wanted) -> Html:
    names = [group.name for group in view.overview.groups]
    phases = [phase.value for phase in TaskPhase]
    machines = [each.row.machine for each in view.overview.machines]
    return element(
        "form",
        menu("phase", "State", _any(phases), wanted.phase),
        menu("name", "Task", _any(names), wanted.name),
        menu("machine", "Machine", _any(machines), wanted.machine),
        search_field("search", "With", wanted.search),
        *([void("input", type="hidden", name="at", value=view.at)] if view.at else []),
        element("button", "Show"),
        method="get",
        action=address("runs", view.run, "tasks"),
        class_="narrow",
        role="search",
    )


def _any(words: list[str]) -> list[tuple[str, str]]:
    return [("", "any"), *((word, word) for word in words)]
