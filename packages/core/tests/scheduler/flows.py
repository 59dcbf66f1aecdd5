"""Small workflows and the ways in which attempts end, for tests of the scheduler."""

from __future__ import annotations

from longshore.model.command import Shell
from longshore.model.outcome import Exited, FailureClass, Lost
from longshore.model.task import Reference, TaskSpec
from longshore.model.workflow import WorkflowSpec


def shell(name: str, *read: str, **words: object) -> TaskSpec:
    """A task that reads one file of each of the named tasks."""
    references = tuple(Reference(task=task, path="out", member="") for task in read)
    return TaskSpec(name=name, command=Shell("true"), references=references, **words)  # type: ignore[arg-type]  # test sugar


def workflow(*specs: TaskSpec, **words: object) -> WorkflowSpec:
    """A workflow on one pool."""
    return WorkflowSpec(name="test", tasks=specs, **words)  # type: ignore[arg-type]  # test sugar


LOST = (Lost("the link is down"), FailureClass.MACHINE_LOST)
BROKEN = (Exited(1), FailureClass.USER_CODE)
FINE = (Exited(0), None)
