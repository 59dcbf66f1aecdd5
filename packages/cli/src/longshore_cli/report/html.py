"""Pieces of a page. Whatever comes in as text is escaped here, and nowhere else. Pure functions."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from attrs import frozen

from longshore_cli.text import clean

__all__ = ["Html", "details", "element", "embedded_json", "joined", "policy_hash", "table"]


@frozen
class Html:
    """Text that is safe to stand in a page."""

    text: str


def joined(pieces: Iterable[Html]) -> Html:
    """Put pieces one below the other."""
    return Html("\n".join(piece.text for piece in pieces))


def element(name: str, /, *content: str | Html, **attributes: str) -> Html:
    """Make an element; ``class_`` stands for ``class``, and other underscores for hyphens."""
    inside = "".join(each.text if isinstance(each, Html) else escape(clean(each)) for each in content)
    words = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(clean(value))}"' for key, value in attributes.items()
    )
    return Html(f"<{name}{words}>{inside}</{name}>")


def table(
    caption: str,
    headings: Sequence[str],
    rows: Sequence[Sequence[str | Html]],
    *,
    numbers: Sequence[int] = (),
    words: Sequence[int] = (),
) -> Html:
    """Make a table with a caption, whose first column names its rows.

    Columns in ``numbers`` hold numbers, and those in ``words`` long texts.

    It lies in a region that can be scrolled by keyboard, too.
    """
    classes = dict.fromkeys(numbers, "number") | dict.fromkeys(words, "words")
    head = [_cell("th", text, classes.get(at, ""), scope="col") for at, text in enumerate(headings)]
    body = [
        element(
            "tr",
            _cell("th", _breakable(row[0]), "name", scope="row"),
            *(_cell("td", value, classes.get(at, "")) for at, value in enumerate(row[1:], start=1)),
        )
        for row in rows
    ]
    inside = element(
        "table",
        element("caption", caption),
        element("thead", element("tr", *head)),
        element("tbody", joined(body)),
    )
    return element("div", inside, class_="wide", role="region", tabindex="0", aria_label=caption)


def _breakable(name: str | Html) -> Html:
    """Let a long name go on in the next line where a part of it ends."""
    if isinstance(name, Html):
        return name
    return Html(re.sub(r"(?<=[\[,/])(?=.)", "<wbr>", escape(clean(name))))


def _cell(name: str, value: str | Html, class_: str, **attributes: str) -> Html:
    return element(name, value, **attributes, **({"class_": class_} if class_ else {}))


def details(summary: str, text: str) -> Html:
    """Make something that opens."""
    return element("details", element("summary", summary), element("pre", text))


def embedded_json(document: Any, identity: str) -> Html:
    """Put a document into a page, for its script to read."""
    # Within a script element "</script" and "<!--" are the only dangers, and no "<" is left.
    text = json.dumps(document, separators=(",", ":")).replace("<", "\\u003c")
    return Html(f'<script type="application/json" id="{escape(identity)}">{text}</script>')


def policy_hash(text: str) -> str:
    """Name an inline script or style as a content security policy allows it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
