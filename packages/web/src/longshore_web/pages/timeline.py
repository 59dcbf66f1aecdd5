"""Who did what when: bars on lanes of machines, drawn as SVG so that it needs no script. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from longshore_cli.report.gantt import Bar, Gantt
from longshore_cli.report.html import Html, element, joined
from longshore_cli.text import duration, moment, shorten
from longshore_web.frame import View, run_page

__all__ = ["drawn", "timeline_page"]

_WIDTH = 1000.0
_LANE = 14.0
_HEAD = 18.0
_TOP = 24.0
_TICKS = 8
_MOST_LANES = 400
_KINDS = ("succeeded", "failed", "lost", "cancelled", "running", "inputs", "outputs", "environment", "booting")


def timeline_page(view: View, picture: Html) -> str:
    """Write the page of the timeline."""
    return run_page(view, "timeline", [picture])


def drawn(whole: Gantt, shown: Gantt, at: datetime) -> Html:
    """Draw what had happened at a moment; ``shown`` are the bars of ``whole`` after neighbours were merged."""
    if not shown.bars:
        return element("p", "Nothing has run.")
    there = {bar.kind for bar in shown.bars}
    legend = element(
        "ul",
        joined(
            element("li", element("span", "", class_=f"swatch {kind}"), f" {kind}") for kind in _KINDS if kind in there
        ),
        class_="legend",
    )
    took = f"{_seconds(whole.seconds)} until {moment(at)}"
    words = f"Each machine has as many lanes as it did things at once; all took {took}."
    if len(shown.bars) < len(whole.bars):
        words += f" Neighbours are drawn as one: {len(whole.bars):,} bars are too many."
    if sum(shown.lanes.values()) > _MOST_LANES:
        words += f" The first {_MOST_LANES} lanes are shown."
    attributes = {"class_": "wide timeline", "role": "region", "tabindex": "0", "aria_label": "Timeline"}
    return element("figure", legend, element("div", _svg(shown), **attributes), element("figcaption", words))


def _svg(gantt: Gantt) -> Html:
    seconds = gantt.seconds or 1.0
    tops, height = _tops(gantt)
    parts = [*_axis(seconds, height), *_names(gantt, tops)]
    parts += [_bar(bar, tops[bar.machine], seconds) for bar in gantt.bars if _is_shown(bar, tops, height)]
    words = {"viewBox": f"0 0 {_WIDTH:.0f} {height:.0f}", "role": "img", "aria_label": "What ran when on which machine"}
    return element("svg", joined(parts), **words)


def _tops(gantt: Gantt) -> tuple[dict[str, float], float]:
    """Say where each machine begins, and how high all is."""
    tops: dict[str, float] = {}
    y, lanes = _TOP, 0
    for machine, count in gantt.lanes.items():
        if lanes >= _MOST_LANES:
            break
        tops[machine] = y + _HEAD
        y += _HEAD + _LANE * min(count, _MOST_LANES - lanes)
        lanes += count
    return tops, y + 4


def _is_shown(bar: Bar, tops: dict[str, float], height: float) -> bool:
    return bar.machine in tops and tops[bar.machine] + bar.lane * _LANE < height - 4


def _axis(seconds: float, height: float) -> Iterator[Html]:
    step = _round(seconds / _TICKS)
    tick = 0.0
    while tick <= seconds:
        x = f"{tick / seconds * _WIDTH:.1f}"
        yield element("line", x1=x, x2=x, y1=f"{_TOP - 6:.0f}", y2=f"{height:.0f}", class_="tick")
        anchor = "start" if tick == 0 else "end" if tick + step > seconds else "middle"
        yield element("text", _seconds(tick), x=x, y="12", text_anchor=anchor, class_="axis")
        tick += step


def _round(step: float) -> float:
    """Give the next larger step that reads well."""
    for unit in (1e-3, 1e-2, 1e-1, 1, 60, 3600, 86400):
        for factor in (1, 2, 5, 10, 15, 30):
            if unit * factor >= step:
                return unit * factor
    return step


def _names(gantt: Gantt, tops: dict[str, float]) -> Iterator[Html]:
    for machine in gantt.lanes:
        if machine in tops:
            yield element("text", shorten(machine, 80), x="2", y=f"{tops[machine] - 5:.1f}", class_="machine")


def _bar(bar: Bar, top: float, seconds: float) -> Html:
    x = bar.begin / seconds * _WIDTH
    width = max(1.0, (bar.end - bar.begin) / seconds * _WIDTH)
    name = f"{bar.task}: {bar.words}" if bar.task and bar.count == 1 else bar.words
    return element(
        "rect",
        element("title", name),
        x=f"{min(x, _WIDTH - 1):.2f}",
        y=f"{top + bar.lane * _LANE:.1f}",
        width=f"{width:.2f}",
        height=f"{_LANE - 2:.0f}",
        class_=f"bar {bar.kind}",
    )


def _seconds(value: float) -> str:
    return duration(timedelta(seconds=value))
