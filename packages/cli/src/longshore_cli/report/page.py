"""The page: one file that needs nothing else, and tells what a run came to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

from longshore_cli.report.chart import MOST_LANES, chart, with_controls
from longshore_cli.report.figures import Figures
from longshore_cli.report.gantt import Gantt, fitted
from longshore_cli.report.graph import MOST_BOXES, graph_svg, outcomes
from longshore_cli.report.html import Html, element, embedded_json, joined, policy_hash, table
from longshore_cli.report.record import Record
from longshore_cli.report.sections import environments, machines, slowest, spending, tasks, trouble
from longshore_cli.report.summary_table import summary_table
from longshore_cli.text import counted, duration, moment

__all__ = ["page"]

_MOST_BARS = 12_000
"""The chart of the page can be zoomed, so that each of so many bars can be seen."""


def page(record: Record, repetitions: Sequence[Figures], gantt: Gantt, drawer: Callable[[str], str]) -> str:
    """Write the page of a run. ``drawer`` completes a script that draws charts."""
    sections = [
        ("figures", "Figures", _figures(repetitions)),
        ("time", "When and where", _time(record, gantt)),
        ("graph", "Graph", _graph(record)),
        ("tasks", "Tasks", tasks(record)),
        ("slowest", "Slowest tasks", slowest(record)),
        ("trouble", "Failures and retries", trouble(record)),
        ("machines", "Machines", machines(record)),
        ("cost", "Cost", spending(record)),
        ("environments", "Environments", environments(record)),
    ]
    body = joined(
        [
            element("a", "Skip to the figures", href="#figures", class_="skip"),
            _header(record, [(identity, name) for identity, name, _ in sections]),
            element("main", joined(_section(*section) for section in sections)),
            _footer(),
        ]
    )
    # A script ends where "</script" stands, wherever that is.
    script = drawer(_part("page.js")).replace("</script", "<\\/script")
    return _document(f"{record.info.workflow}, run {record.info.id}", body, _part("page.css"), script)


def _document(title: str, body: Html, style: str, script: str) -> str:
    """Put the parts together, so that this style and this script are used, and nothing else is loaded or executed."""
    policy = (
        f"default-src 'none'; script-src {policy_hash(script)}; style-src {policy_hash(style)}; "
        "style-src-attr 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="referrer" content="no-referrer">\n{element("title", title).text}\n'
        f"<style>{style}</style>\n</head>\n<body>\n{body.text}\n"
        f'<script type="module">{script}</script>\n</body>\n</html>\n'
    )


def _part(name: str) -> str:
    return files("longshore_cli.report").joinpath(name).read_text(encoding="utf-8")


def _header(record: Record, sections: Sequence[tuple[str, str]]) -> Html:
    info = record.info
    took = duration(info.ended - info.started) if info.ended is not None else "not over"
    links = (element("li", element("a", name, href=f"#{identity}")) for identity, name in sections)
    return element(
        "header",
        element("h1", info.workflow),
        element(
            "p",
            f"Run {info.id} ",
            element("span", info.state, class_=f"state {info.state}"),
            f": {counted(info.tasks, 'task')}, began {moment(info.started)}, {took}",
        ),
        element("nav", element("ul", joined(links)), aria_label="Sections"),
    )


def _section(identity: str, name: str, content: Html) -> Html:
    return element(
        "section", element("h2", name, id=f"{identity}-name"), content, id=identity, aria_labelledby=f"{identity}-name"
    )


def _figures(repetitions: Sequence[Figures]) -> Html:
    shown = summary_table(repetitions)
    headings = shown.headings or ("", "value")
    words = (
        "A task's time is that of the attempt by which it succeeded. Efficiency is the part of the workers' time that "
        "went into such attempts; workers are the most attempts of one moment."
    )
    rows = [[row[0] or "which", *row[1:]] for row in shown.rows]
    caption = f"Figures of {counted(len(repetitions), 'repetition')}" if shown.headings else "Figures of the run"
    return joined([table(caption, ["figure", *headings[1:]], rows), element("p", words)])


def _time(record: Record, whole: Gantt) -> Html:
    if not whole.bars:
        return element("p", "Nothing ran.")
    shown = fitted(whole, _MOST_BARS)
    title = f"When each task of run {record.info.id} ran, and on which machine"
    merged = (
        "" if len(shown.bars) == len(whole.bars) else f" Neighbours are drawn as one: {len(whole.bars):,} are too many."
    )
    lanes = sum(whole.lanes.values())
    if lanes > MOST_LANES:
        merged += f" Of {lanes:,} lanes the first {MOST_LANES} are drawn; logs.csv has every attempt."
    return element(
        "figure",
        element(
            "div",
            element("div", class_="chart", id="gantt"),
            class_="wide",
        ),
        element(
            "figcaption",
            "Each machine has as many lanes as it did things at once. Choose the time that is shown, or a part of the "
            f"name of tasks that are to stand out; a bar says more under the pointer.{merged}",
        ),
        element("noscript", element("p", "The chart is drawn by a script; gantt.svg beside this page is the same.")),
        embedded_json(with_controls(chart(shown, width="container", title=title), whole), "gantt-chart"),
    )


def _graph(record: Record) -> Html:
    picture = graph_svg(record.workflow, outcomes(record))
    if not picture:
        return element("p", f"A graph of more than {MOST_BOXES} boxes is not drawn; the table below has them all.")
    attributes: dict[str, Any] = {"class_": "wide graph", "role": "region", "tabindex": "0"}
    return element("div", Html(picture), **attributes, aria_label="Graph of the workflow")


def _footer() -> Html:
    from importlib.metadata import version

    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return element("footer", element("p", f"Written by longshore {version('longshore')} at {now}."))
