"""A picture as SVG: no fonts, scripts or references, so it shows alike in a browser, a README and a report."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from xml.sax.saxutils import escape, quoteattr

from longshore_cli.drawing.layout import Point, lay_out
from longshore_cli.drawing.picture import COLOURS, Box, Picture
from longshore_cli.text import clean, shorten

__all__ = ["svg"]

_CHARACTER = 7.4
"""Width of a character of the 12-pixel font below; generous, since no font here is asked for its true widths."""
_LONGEST_LABEL = 40
_HEIGHT = 40.0
_GAP = 24.0
_RISE = 44.0
_MARGIN = 16.0
_TITLE = 28.0
_HEAD = (
    '<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
    '<path d="M0,0 L8,4 L0,8 z" fill="#5b6b7b"/></marker></defs>'
)
_FONT = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace"


def svg(picture: Picture) -> str:
    """Draw a picture; readable on white and on dark pages, since it brings its own background."""
    labels = [tuple(shorten(clean(line), _LONGEST_LABEL) for line in box.lines) for box in picture.boxes]
    widths = [max(map(len, lines)) * _CHARACTER + 24 for lines in labels]
    layout = lay_out(widths, picture.arrows, height=_HEIGHT, gap=_GAP, rise=_RISE)
    title = clean(picture.title)
    width = max(layout.width, len(title) * _CHARACTER) + 2 * _MARGIN
    height = layout.height + 2 * _MARGIN + _TITLE
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
    words = f'role="img" aria-label={quoteattr(f"workflow {title}")} font-family="{_FONT}" font-size="12"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {words}>',
        _HEAD,
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        f'<text x="{_MARGIN}" y="{_MARGIN + 6}" font-weight="bold" fill="#1f2933">{escape(title)}</text>',
        f'<g transform="translate({_MARGIN},{_MARGIN + _TITLE})">',
        *map(_rectangle, picture.boxes, labels, widths, layout.centres),
        *(_arrow(route) for route in layout.routes),
        "</g>",
        "</svg>",
    ]
    return "\n".join(parts)


def _arrow(route: Sequence[Point]) -> str:
    """Draw a smooth line from the first box's bottom to the last one's top, upright where it passes other boxes."""
    x, y = route[0]
    path = [f"M{x:.1f},{y + _HEIGHT / 2:.1f}"]
    for (from_x, from_y), (to_x, to_y) in pairwise(route):
        low, high = from_y + _HEIGHT / 2, to_y - _HEIGHT / 2
        middle = (low + high) / 2
        path.append(f"C{from_x:.1f},{middle:.1f} {to_x:.1f},{middle:.1f} {to_x:.1f},{high:.1f}")
        if (to_x, to_y) != route[-1]:
            path.append(f"V{to_y + _HEIGHT / 2:.1f}")
    return f'<path d="{" ".join(path)}" fill="none" stroke="#5b6b7b" stroke-width="1.3" marker-end="url(#head)"/>'


def _rectangle(box: Box, lines: tuple[str, ...], width: float, centre: Point) -> str:
    x, y = centre[0] - width / 2, centre[1] - _HEIGHT / 2
    parts = [f"<g><title>{escape(clean(' '.join(box.lines)))}</title>"]
    if box.many:
        # A second edge behind the box: this is a stack of tasks.
        parts.append(_edge(box, x + 4, y - 4, width))
    parts.append(_edge(box, x, y, width))
    baselines = (centre[1] - 3, centre[1] + 13) if len(lines) > 1 else (centre[1] + 4,)
    for line, baseline, colour in zip(lines, baselines, ("#1f2933", "#52606d"), strict=False):
        parts.append(
            f'<text x="{centre[0]:.1f}" y="{baseline:.1f}" text-anchor="middle" fill="{colour}">{escape(line)}</text>'
        )
    parts.append("</g>")
    return "".join(parts)


def _edge(box: Box, x: float, y: float, width: float) -> str:
    inside, edge = COLOURS[box.tone]
    place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{_HEIGHT:.0f}"'
    return f'<rect {place} rx="6" fill="{inside}" stroke="{edge}"/>'
