"""What tasks made, and where it went."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from longshore.runtime.output_rows import MoveRow, OutputRow
from longshore_cli.report.html import Html, element, joined
from longshore_web.frame import View, run_page
from longshore_web.html import address, link
from longshore_web.pages.task import artifacts_table, moves_table

__all__ = ["artifacts_page"]


def artifacts_page(
    view: View, outputs: Sequence[OutputRow], moves: Sequence[MoveRow], *, skip: int, gone: int, most: int
) -> str:
    """Write a page of artifacts and one of moves, from ``skip`` and ``gone`` on; each has one more than is shown when
    there is another page.
    """
    return run_page(view, "artifacts", _parts(view, outputs, moves, skip, gone, most))


def _parts(
    view: View, outputs: Sequence[OutputRow], moves: Sequence[MoveRow], skip: int, gone: int, most: int
) -> Iterator[Html]:
    if outputs or skip:
        yield _turn(view, "Artifacts", skip, len(outputs) > most, most, "skip", gone=gone)
        yield artifacts_table(view, outputs[:most])
    else:
        yield element("p", "No task has made anything that is declared.")
    yield element("h3", "Moves")
    if moves or gone:
        yield _turn(view, "Moves", gone, len(moves) > most, most, "gone", skip=skip)
        yield moves_table(view, moves[:most])
    else:
        yield element("p", "Nothing had to move.")


def _turn(view: View, label: str, at: int, more: bool, most: int, key: str, **others: int) -> Html:
    """Make the links to the neighbours of a page of which nobody has counted how many there are."""
    query = {name: value or None for name, value in others.items()}

    def to(begin: int) -> str:
        return address("runs", view.run, "artifacts", **query, **{key: begin or None}, at=view.at)

    links = [link("Previous", to(max(0, at - most)))] if at else []
    links += [link("Next", to(at + most))] if more else []
    if not links:
        return Html("")
    items = joined(element("li", each) for each in links)
    return element("nav", element("p", f"From {at + 1:,}"), element("ul", items), class_="pager", aria_label=label)
