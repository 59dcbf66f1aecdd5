"""Drawing charts by Vega, as vl-convert brings it along: pictures here, and its program for a page that draws."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import vl_convert

from longshore.folders import cache_folder

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
    """Give a script, which may call ``vegaEmbed``, together with all that it needs, to be written into a page.

    Putting them together takes a second and a half, so it is done once for a script and a version of vl-convert, and
    kept among what can be had again.
    """
    known = hashlib.sha256(f"{version('vl-convert-python')}\0{script}".encode()).hexdigest()
    kept = cache_folder(os.environ) / "report" / f"{known}.js"
    try:
        return kept.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        whole = str(vl_convert.javascript_bundle(script))
    with suppress(OSError):  # it is made again the next time
        _keep(kept, whole)
    return whole


def _keep(path: Path, text: str) -> None:
    """Write a file whole or not at all, in the place of those for other scripts and versions."""
    path.parent.mkdir(parents=True, exist_ok=True)
    others = [each for each in path.parent.iterdir() if each.suffix == ".js" and each != path]
    beside = path.with_suffix(f".{os.getpid()}")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)
    for each in others:
        each.unlink(missing_ok=True)
