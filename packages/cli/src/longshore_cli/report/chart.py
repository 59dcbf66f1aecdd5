"""The Gantt chart as Vega-Lite, a language in which charts are declared and which others draw. Pure functions."""

from __future__ import annotations

from typing import Any

from longshore_cli.report.gantt import Bar, Gantt
from longshore_cli.text import clean, shorten

__all__ = ["COLOURS", "KINDS", "MOST_LANES", "chart", "with_controls"]

# Told apart by who sees red and green alike, too (after Okabe and Ito); they are seen on white and on near-black.
COLOURS = {
    "succeeded": "#0072b2",
    "failed": "#d55e00",
    "lost": "#b5179e",
    "cancelled": "#8d99ae",
    "running": "#56b4e9",
    "inputs": "#009e73",
    "outputs": "#7bc96f",
    "environment": "#e69f00",
    "booting": "#c9b458",
}
KINDS = tuple(COLOURS)

_UNITS = ((7200.0, 3600.0, "hours"), (300.0, 60.0, "minutes"), (0.0, 1.0, "seconds"))
_HIGHEST = 900
_LANE_PIXELS = 18.0
MOST_LANES = 900
"""More would be thinner than a pixel, so they are not drawn."""
_FEW = 1000
"""So few bars have round corners, by which neighbours can be told apart."""
_LONGEST_NAME = 28
_UNSEEN = "\u2060"
"""A word joiner: takes no room, and tells the further lanes of a machine from its first, which bears its name."""


def chart(gantt: Gantt, *, width: int | str, title: str) -> dict[str, Any]:
    """Declare the chart. ``width`` is a number of pixels, or ``container``."""
    scale, unit = _unit(gantt.seconds)
    lanes = [(machine, lane) for machine, count in gantt.lanes.items() for lane in range(count)][:MOST_LANES]
    shown = set(lanes)
    names = {machine: shorten(clean(machine).replace(_UNSEEN, ""), _LONGEST_NAME) for machine in gantt.lanes}
    rows = [_row(bar, names, scale) for bar in gantt.bars if (bar.machine, bar.lane) in shown]
    return {
        "description": f"{title}. The tables of the report say the same in words.",
        "width": width,
        "height": len(lanes) * min(_LANE_PIXELS, max(1.0, _HIGHEST / max(1, len(lanes)))),
        "data": {"values": rows},
        "mark": {"type": "rect", "clip": True, "aria": False, "cornerRadius": 2 if len(rows) < _FEW else 0},
        "encoding": {
            "y": {
                "field": "lane",
                "type": "ordinal",
                "title": None,
                "scale": {"domain": [_lane(names[machine], lane) for machine, lane in lanes], "paddingInner": 0.1},
                "axis": {"values": list(names.values()), "ticks": False, "labelOverlap": True, "labelLimit": 200},
            },
            "x": {
                "field": "begin",
                "type": "quantitative",
                "title": f"{unit} since the run began",
                "axis": {"labelSeparation": 4},
                "scale": {"domain": [0, float(f"{gantt.seconds / scale * 1.001:.4g}") or 1], "nice": False},
            },
            "x2": {"field": "end"},
            **_colouring(gantt),
            "tooltip": _under_the_pointer(unit),
        },
    }


def _colouring(gantt: Gantt) -> dict[str, Any]:
    kinds = [kind for kind in KINDS if any(bar.kind == kind for bar in gantt.bars)]
    by_kind = {
        "field": "kind",
        "type": "nominal",
        "scale": {"domain": kinds, "range": [COLOURS[kind] for kind in kinds]},
    }
    return {
        # Vega makes a picture infinitely large that has a legend of nothing.
        "color": {**by_kind, "legend": {"title": None, "orient": "top", "columns": 3} if kinds else None},
        # What is rare must be seen however short it was.
        "stroke": {"condition": {"test": "datum.kind !== 'succeeded'", **by_kind}, "value": None},
    }


def _under_the_pointer(unit: str) -> list[dict[str, str]]:
    return [
        {"field": "task", "title": "task"},
        {"field": "words", "title": "what"},
        {"field": "begin", "title": f"begin ({unit})", "format": ".6~g"},
        {"field": "end", "title": f"end ({unit})", "format": ".6~g"},
    ]


def with_controls(spec: dict[str, Any], gantt: Gantt) -> dict[str, Any]:
    """Add what a reader may change: from when to when is shown, and which tasks stand out."""
    whole = spec["encoding"]["x"]["scale"]["domain"][1]
    _, unit = _unit(gantt.seconds)
    slider = {"input": "range", "min": 0, "max": whole, "step": whole / 1000}
    encoding = dict(spec["encoding"])
    least = whole / 10_000
    domain = [{"expr": "min(from, until)"}, {"expr": f"max(from, until) + (from == until ? {least} : 0)"}]
    encoding["x"] = {**encoding["x"], "scale": {"domain": domain, "nice": False}}
    found = "find == '' || indexof(lower(datum.task), lower(find)) >= 0"
    encoding["opacity"] = {"condition": {"test": found, "value": 1}, "value": 0.1}
    return {
        **spec,
        "params": [
            {"name": "from", "value": 0, "bind": {**slider, "name": f"from ({unit})"}},
            {"name": "until", "value": whole, "bind": {**slider, "name": f"until ({unit})"}},
            {"name": "find", "value": "", "bind": {"input": "search", "name": "find a task"}},
        ],
        "encoding": encoding,
    }


def _unit(seconds: float) -> tuple[float, str]:
    return next((size, word) for least, size, word in _UNITS if seconds >= least)


def _lane(name: str, lane: int) -> str:
    return name + _UNSEEN * lane


def _row(bar: Bar, names: dict[str, str], scale: float) -> dict[str, Any]:
    return {
        "lane": _lane(names[bar.machine], bar.lane),
        "begin": _rounded(bar.begin / scale),
        "end": _rounded(bar.end / scale),
        "kind": bar.kind,
        "task": clean(bar.task),
        "words": bar.words,
    }


def _rounded(value: float) -> float:
    return float(f"{value:.7g}")
