"""What an attempt wrote, a piece at a time: the last one, or the one that begins at an offset."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from longshore.runtime.logs import LogPart
from longshore_cli.report.html import Html, element
from longshore_cli.text import clean
from longshore_web.frame import View, run_page
from longshore_web.html import link, state

__all__ = ["Place", "log_page"]

_STREAMS = (("out", "stdout"), ("err", "stderr"))


@frozen(kw_only=True)
class Place:
    """Which log is shown."""

    task: str
    phase: str
    attempt: int
    attempts: int
    stream: str


def log_page(view: View, place: Place, part: LogPart) -> str:
    """Write the page of a log. What steers a terminal is taken out, and what looks like HTML is text."""
    title = f"Log of {place.task}, {view.run}"
    return run_page(view, "tasks", _parts(view, place, part), title=title, heading=f"Log of {place.task}", told="logs")


def _parts(view: View, place: Place, part: LogPart) -> Iterator[Html]:
    yield element("p", view.task(place.task), " is ", state(place.phase), f"; attempt {place.attempt}")
    yield _choice(view, place)
    if not part.size:
        yield element("p", "Nothing has been written.")
        return
    text = clean(part.data.decode("utf-8", "replace"))
    name = dict(_STREAMS)[place.stream]
    yield element("pre", text, class_="log", tabindex="0", role="region", aria_label=f"{name} of {place.task}")
    yield element("p", *_where(view, place, part))


def _choice(view: View, place: Place) -> Html:
    items = []
    for stream, name in _STREAMS:
        current = {"aria_current": "true"} if stream == place.stream else {}
        to = view.to("log", id=place.task, attempt=place.attempt, stream=stream)
        items.append(element("li", link(name, to, **current)))
    for number in range(max(1, place.attempts - 9), place.attempts + 1):
        current = {"aria_current": "true"} if number == place.attempt else {}
        to = view.to("log", id=place.task, attempt=number, stream=place.stream)
        items.append(element("li", link(f"attempt {number}", to, **current)))
    return element("nav", element("ul", *items), aria_label="Streams and attempts")


def _where(view: View, place: Place, part: LogPart) -> Iterator[str | Html]:
    end = part.begin + len(part.data)
    yield f"Bytes {part.begin:,} to {end:,} of {part.size:,}. "

    def to(begin: int | None) -> str:
        where = {"id": place.task, "stream": place.stream}
        return view.to("log", **where, attempt=place.attempt, begin=None if begin is None else str(begin))

    if part.begin:
        yield link("Beginning", to(0))
        yield " "
        yield link("Earlier", to(max(0, part.begin - part.most)))
        yield " "
    if end < part.size:
        yield link("Later", to(end))
        yield " "
        yield link("End", to(None))
        yield " "
    raw = view.to("raw", id=place.task, attempt=place.attempt, stream=place.stream)
    yield link("All of it, byte by byte", raw)
