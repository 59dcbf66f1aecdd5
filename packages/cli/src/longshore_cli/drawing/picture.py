"""What a picture of a workflow shows: one box for each task as written, one arrow for each wait."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from attrs import frozen

from longshore.model.task import TaskSpec
from longshore.model.workflow import WorkflowSpec
from longshore.scheduler.graph import count_members, producers

__all__ = ["COLOURS", "Box", "Picture", "picture_of"]

COLOURS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "": ("#eef4fb", "#3b6ea5"),
        "succeeded": ("#e3f4ea", "#2e7d4f"),
        "failed": ("#fde6dc", "#c2410c"),
        "running": ("#e0f2fe", "#0369a1"),
        "waiting": ("#f1f3f5", "#868e96"),
    }
)
"""Inside and edge of a box, by its tone."""


@frozen(kw_only=True)
class Box:
    """A task as written; with ``for_each`` or ``repeat`` it stands for all of its members."""

    name: str
    note: str = ""
    """How many tasks it stands for, and over what, as in ``20 x year``, or how they stand; empty for a task that stands
    alone.
    """
    many: bool = False
    """Whether it stands for the members of a ``for_each`` or ``repeat``."""
    tone: str = ""
    """Its colour: succeeded, failed, running, waiting, or empty where nothing has run."""

    @property
    def lines(self) -> tuple[str, ...]:
        """What stands in the box, line by line."""
        return (self.name, self.note) if self.note else (self.name,)


@frozen(kw_only=True)
class Picture:
    """Boxes in the order of the workflow, and arrows between them by position: who is waited for, who waits."""

    title: str
    boxes: tuple[Box, ...]
    arrows: tuple[tuple[int, int], ...]


def picture_of(workflow: WorkflowSpec) -> Picture:
    """Say what to draw for a workflow whose parameters have been read from the project's files."""
    position = {spec.name: number for number, spec in enumerate(workflow.tasks)}
    arrows = [
        (position[name], position[spec.name])
        for spec in workflow.tasks
        for name in sorted(producers(spec))
        if name in position
    ]
    return Picture(title=workflow.name, boxes=tuple(map(_box, workflow.tasks)), arrows=tuple(sorted(arrows)))


def _box(spec: TaskSpec) -> Box:
    if not spec.expands:
        return Box(name=spec.name)
    members = count_members(spec)
    over = [parameter.name for parameter in spec.for_each] + (["repeat"] if spec.repeat is not None else [])
    count = "?" if members is None else f"{members:,}"
    return Box(name=spec.name, note=f"{count} x {', '.join(over)}", many=True)
