"""A picture in the languages that other programs draw: Mermaid and DOT."""

from __future__ import annotations

import re

from longshore_cli.drawing.picture import COLOURS, Picture
from longshore_cli.text import clean

__all__ = ["dot", "mermaid"]

_MERMAID_SPECIAL = re.compile(r'[#"<>&`\\]')


def mermaid(picture: Picture) -> str:
    """Write a flowchart that Markdown viewers draw."""
    lines = ["flowchart TD"]
    for number, box in enumerate(picture.boxes):
        label = "<br>".join(_mermaid_text(line) for line in box.lines)
        shape = f'[["{label}"]]' if box.many else f'["{label}"]'
        tone = f":::{box.tone}" if box.tone else ""
        lines.append(f"    t{number}{shape}{tone}")
    lines += [f"    t{start} --> t{end}" for start, end in picture.arrows]
    for tone in dict.fromkeys(box.tone for box in picture.boxes if box.tone):
        inside, edge = COLOURS[tone]
        lines.append(f"    classDef {tone} fill:{inside},stroke:{edge},color:#1f2933")
    return "\n".join(lines)


def _mermaid_text(text: str) -> str:
    return _MERMAID_SPECIAL.sub(lambda found: f"#{ord(found[0])};", clean(text))


def dot(picture: Picture) -> str:
    """Write a digraph for Graphviz."""
    lines = [f"digraph {_dot_text(picture.title)} {{", "    node [shape=box, style=rounded];"]
    for number, box in enumerate(picture.boxes):
        more = ", peripheries=2" if box.many else ""
        lines.append(f"    t{number} [label={_dot_text(*box.lines)}{more}];")
    lines += [f"    t{start} -> t{end};" for start, end in picture.arrows]
    return "\n".join([*lines, "}"])


def _dot_text(*lines: str) -> str:
    escaped = [clean(line).replace("\\", "\\\\").replace('"', '\\"') for line in lines]
    return '"' + "\\n".join(escaped) + '"'
