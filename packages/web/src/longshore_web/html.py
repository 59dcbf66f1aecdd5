"""What a live page needs beyond the pieces of a report: addresses, forms, pagers. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from urllib.parse import quote, urlencode

from longshore_cli.report.html import Html, element, joined
from longshore_cli.text import clean

__all__ = ["NOTHING", "address", "facts", "link", "menu", "pager", "search_field", "state", "void"]

NOTHING = Html("")


def address(*segments: str, **query: str | int | None) -> str:
    """Write the address of a page; segments and values may hold anything. What is empty or None is left out."""
    path = "/" + "/".join(quote(segment, safe="") for segment in segments)
    words = {key.rstrip("_"): str(value) for key, value in query.items() if value not in {None, ""}}
    return f"{path}?{urlencode(words, quote_via=quote)}" if words else path


def link(text: str, to: str, **attributes: str) -> Html:
    """Make a link to one of our pages."""
    return element("a", text, href=to, **attributes)


def void(name: str, /, **attributes: str | bool) -> Html:
    """Make an element that has no content; an attribute that is True has no value."""
    words = ""
    for key, value in attributes.items():
        if value is not False:
            word = key.rstrip("_").replace("_", "-")
            words += f" {word}" if value is True else f' {word}="{escape(clean(str(value)))}"'
    return Html(f"<{name}{words}>")


def state(word: str) -> Html:
    """Show a state in its colour; the word itself says it, too."""
    return element("span", word, class_=f"state {word.replace(' ', '-')}")


def facts(pairs: Iterable[tuple[str, str | Html]]) -> Html:
    """Make a list of names and what they stand for."""
    return element("dl", joined(Html(f"{element('dt', name).text}{element('dd', what).text}") for name, what in pairs))


def menu(name: str, label: str, choices: Sequence[tuple[str, str]], chosen: str) -> Html:
    """Make a menu of a form: values with their words."""
    options = []
    for value, words in choices:
        marked = {"selected": "selected"} if value == chosen else {}
        options.append(element("option", words, value=value, **marked))
    return element("label", f"{label} ", element("select", joined(options), name=name))


def search_field(name: str, label: str, value: str) -> Html:
    """Make a field for a part of a name."""
    return element("label", f"{label} ", void("input", type="search", name=name, value=value))


def pager(skip: int, most: int, total: int, where: Sequence[str], query: Mapping[str, str | int | None]) -> Html:
    """Make the links to other pages of a list; empty when all of it is shown."""
    if total <= most and not skip:
        return NOTHING

    def to(begin: int) -> str:
        return address(*where, **{**query, "skip": begin or None})

    last = max(0, (total - 1) // most * most)
    places = [("First", 0, skip > 0), ("Previous", max(0, skip - most), skip > 0)]
    places += [("Next", skip + most, skip + most < total), ("Last", last, skip < last)]
    links = [element("li", link(words, to(begin)) if there else words) for words, begin, there in places]
    shown = f"{min(skip + 1, total):,} to {min(skip + most, total):,} of {total:,}"
    return element("nav", element("p", shown), element("ul", joined(links)), class_="pager", aria_label="Pages")
