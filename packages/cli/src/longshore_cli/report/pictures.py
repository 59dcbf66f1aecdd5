"""Drawing charts by Vega, as vl-convert brings it along: pictures here, and its program for a page that draws."""

from __future__ import annotations

from typing import Any

import vl_convert

__all__ = ["drawer", "to_png", "to_svg"]

_SCALE = 1.5
"""Pixels of a PNG for one of the chart, so that it stays sharp on screens and paper."""
_BACKGROUND = {"background": "white"}


def to_svg(chart: dict[str, Any]) -> str:
    """Draw a chart as SVG."""
    return str(vl_convert.vegalite_to_svg(chart, config=_BACKGROUND))


def to_png(svg: str) -> bytes:
    """Turn a picture of `to_svg` into pixels."""
    return bytes(vl_convert.svg_to_png(svg, scale=_SCALE))


def drawer(script: str) -> str:
    """Give a script, which may call ``vegaEmbed``, together with all that it needs, to be written into a page."""
    return str(vl_convert.javascript_bundle(script))
