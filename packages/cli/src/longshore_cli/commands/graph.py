"""``longshore graph``: a picture of a workflow."""

from __future__ import annotations

from pathlib import Path

import click

from longshore_cli.command import command as subcommand
from longshore_cli.invocation import Invocation
from longshore_cli.output import answer
from longshore_cli.workflow import load_workflow, narrowed, set_option

__all__ = ["command"]


@subcommand(
    "graph",
    examples="""
    longshore graph --format svg > workflow.svg
    longshore graph --format mermaid >> README.md
    longshore graph other.toml --format dot | dot -Tpdf > workflow.pdf
    """,
)
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["mermaid", "dot", "svg"]),
    default="mermaid",
    show_default=True,
    help="SVG is drawn by longshore itself; DOT is for Graphviz.",
)
@set_option
def command(_: Invocation, file: Path | None, form: str, sets: tuple[str, ...]) -> None:
    """Draw a workflow as Mermaid, DOT or SVG.

    One box for each task as written: a for_each is one box with the number of its tasks. An arrow leads to who waits.
    """
    from longshore_cli.drawing import svg, words
    from longshore_cli.drawing.picture import picture_of

    loaded = load_workflow(file, sets)
    picture = picture_of(narrowed(loaded))
    draw = {"svg": svg.svg, "mermaid": words.mermaid, "dot": words.dot}[form]
    answer(draw(picture))
