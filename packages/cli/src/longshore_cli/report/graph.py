"""The workflow's graph, coloured by how its tasks stand. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from attrs import evolve

from longshore.model.workflow import WorkflowSpec
from longshore_cli.drawing.picture import Box, Picture, picture_of
from longshore_cli.drawing.svg import svg
from longshore_cli.report.record import Record
from longshore_cli.text import counts

__all__ = ["MOST_BOXES", "coloured", "graph_svg", "outcomes"]

MOST_BOXES = 300
"""A graph with more is not drawn: nobody could read it."""


def outcomes(record: Record) -> Mapping[str, Counter[str]]:
    """Count the phases of each task as written."""
    found: dict[str, Counter[str]] = {spec.name: Counter() for spec in record.workflow.tasks}
    for task in record.tasks:
        found[task.spec.name][record.phase(task.id)] += 1
    return found


def graph_svg(workflow: WorkflowSpec, stands: Mapping[str, Counter[str]]) -> str:
    """Draw the graph; empty when it has too many boxes."""
    if not 0 < len(workflow.tasks) <= MOST_BOXES:
        return ""
    return svg(coloured(workflow, stands))


def coloured(workflow: WorkflowSpec, stands: Mapping[str, Counter[str]]) -> Picture:
    """Give the graph with what became of each box's tasks, as `outcomes` counts it, as its note and its colour."""
    picture = picture_of(workflow)
    return evolve(picture, boxes=tuple(_coloured(box, stands[box.name]) for box in picture.boxes))


def _coloured(box: Box, phases: Counter[str]) -> Box:
    # The note also tells what the colour tells, for who does not see it.
    return evolve(box, note=counts(phases) if box.many else next(iter(phases)), tone=_tone(phases))


def _tone(phases: Counter[str]) -> str:
    if phases["failed"] or phases["lost"]:
        return "failed"
    if phases["succeeded"] + phases["up to date"] == phases.total():
        return "succeeded"
    return "running" if phases["running"] else "waiting"
