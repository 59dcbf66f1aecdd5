"""What all pages have in common: head, navigation, and the moment that they show. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from longshore.runtime.overview import Overview
from longshore_cli.report.html import Html, element, joined
from longshore_cli.text import moment
from longshore_web.html import NOTHING, address, link, state, void

__all__ = ["View", "framed", "run_page"]

_PAGES = (
    ("", "Overview"),
    ("tasks", "Tasks"),
    ("timeline", "Timeline"),
    ("machines", "Machines"),
    ("artifacts", "Artifacts"),
    ("workflow", "Workflow"),
)


@frozen(kw_only=True)
class View:
    """A run, and as of when it is looked at."""

    overview: Overview
    at: str = ""
    """A past moment as it was typed; empty for now."""
    proof: str = ""
    """What a form must send along."""

    moment: float
    """That moment, in seconds since 1970: until then costs are counted."""

    @property
    def run(self) -> str:
        """The id of the run."""
        return self.overview.info.id

    def to(self, *segments: str, **query: str | int | None) -> str:
        """Write the address of another page of this run, at the same moment."""
        return address("runs", self.run, *filter(None, segments), **query, at=self.at)

    def task(self, task: str) -> Html:
        """Make a link to a task."""
        return link(task, self.to("task", id=task))


def framed(title: str, header: Html, main: Iterable[Html], *, changes: str = "") -> str:
    """Write a page. It renews itself when something is told at the address ``changes``."""
    body = joined(
        [
            element("a", "Skip to the content", href="#main", class_="skip"),
            element(
                "header", element("p", link("Runs", "/"), " ", link("Schedules", "/schedules"), class_="up"), header
            ),
            element("main", joined(main), id="main", tabindex="-1"),
            element("p", "", role="status", class_="unseen", id="news"),
        ]
    )
    told = f' data-changes="{element("i", changes).text[3:-4]}"' if changes else ""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"{element('title', f'{title} - Longshore').text}\n"
        '<link rel="icon" href="/static/icon.svg">\n'
        '<link rel="stylesheet" href="/static/report.css">\n<link rel="stylesheet" href="/static/page.css">\n'
        f'<script type="module" src="/static/page.js"></script>\n</head>\n<body{told}>\n{body.text}\n</body>\n</html>\n'
    )


def run_page(view: View, page: str, main: Iterable[Html], *, title: str = "", heading: str = "", told: str = "") -> str:
    """Write a page of a run; ``page`` is the one of the navigation to which it belongs.

    ``told`` says of what else than the journal it is to hear: ``loads`` or ``logs``.
    """
    info = view.overview.info
    name = heading or dict(_PAGES)[page]
    header = joined(
        [
            element("h1", info.workflow, " ", element("small", f"run {info.id}")),
            element("p", state(info.state), f" {_when(view)}", id="stands"),
            _past(view, page) if view.at else NOTHING,
            _navigation(view, page),
        ]
    )
    changes = "" if view.at else address("runs", view.run, "changes", told=told)
    content = [element("h2", name), *main]
    return framed(title or f"{name}, {info.workflow}, {info.id}", header, content, changes=changes)


def _when(view: View) -> str:
    info = view.overview.info
    if info.ended is not None:
        return f"{moment(info.started)} to {moment(info.ended)}"
    return f"began {moment(info.started)}"


def _past(view: View, page: str) -> Html:
    now = link("show it as it is now", address("runs", view.run, *filter(None, [page])))
    return element("p", f"As it stood at {moment(view.overview.reader.until)}; ", now, ".", class_="past")


def _navigation(view: View, page: str) -> Html:
    items = []
    for path, name in _PAGES:
        current = {"aria_current": "page"} if path == page else {}
        items.append(element("li", link(name, view.to(path), **current)))
    field = element("label", "At ", void("input", name="at", value=view.at, placeholder="14:05", size="8"))
    form = element(
        "form", field, element("button", "Show"), method="get", action=address("runs", view.run, *filter(None, [page]))
    )
    return joined([element("nav", element("ul", joined(items)), aria_label="Run"), element("div", form, class_="at")])
