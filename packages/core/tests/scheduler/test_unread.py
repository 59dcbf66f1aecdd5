"""What becomes of tasks that read objects of which nobody knows the digest before their machine has read them."""

from __future__ import annotations

import pytest

from longshore.builtin.strategies import FirstFit
from longshore.model.artifact import Artifact, Input
from longshore.model.events import (
    AttemptEnded,
    AttemptIntended,
    Event,
    Identified,
    MachineAdded,
    TasksIdentified,
)
from longshore.model.move_events import InputsStaged
from longshore.model.outcome import Lost
from longshore.model.resources import Resources
from longshore.scheduler.actions import Identify
from longshore.scheduler.apply import apply
from longshore.scheduler.away_actions import StageAttempt
from longshore.scheduler.building import begin
from longshore.scheduler.decide import decide
from longshore.scheduler.state import RunState, TaskPhase
from longshore.testing import EPOCH

from .flows import shell, workflow

UNREAD = Input(sha256="", size=0)
READ = Input(sha256="a" * 64, size=5)


def known(task: str, identity: str, *inputs: Input, outputs: tuple[Artifact, ...] | None = None) -> TasksIdentified:
    return TasksIdentified(at=EPOCH, items=(Identified(task=task, identity=identity, inputs=inputs, outputs=outputs),))


@pytest.fixture
def state() -> RunState:
    """Two tasks read the same, which nobody has read; the first was given to a machine with a store of its own."""
    state = begin(workflow(shell("one"), shell("two")))
    machine = MachineAdded(at=EPOCH, machine="m", pool="local", resources=Resources(cpus=2.0), slots=None, store="m")
    return after(
        state,
        machine,
        known("one", "unread-1", UNREAD),
        known("two", "unread-2", UNREAD),
        AttemptIntended(at=EPOCH, task="one", attempt=1, machine="m"),
    )


def after(state: RunState, *events: Event) -> RunState:
    for event in events:
        apply(state, event)
    return state


def test_who_reads_what_nobody_has_read_is_staged_whatever_its_machine_has(state: RunState) -> None:
    after(state, InputsStaged(at=EPOCH, task="one", attempt=1))

    after(state, AttemptIntended(at=EPOCH, task="two", attempt=1, machine="m"))

    assert state.tasks["two"].phase is TaskPhase.STAGING
    assert StageAttempt("two", 1, "m") in decide(state, FirstFit(), EPOCH)


def test_what_its_machine_has_read_says_by_what_a_task_is_known(state: RunState) -> None:
    after(state, known("one", "by content", READ), InputsStaged(at=EPOCH, task="one", attempt=1))

    assert (state.tasks["one"].identity, state.tasks["one"].view.inputs) == ("by content", (READ,))
    assert state.where.stores["m"] == {READ.sha256}
    assert state.tasks["one"].phase is TaskPhase.QUEUED


def test_what_was_read_once_is_not_known_by_anything_else_later(state: RunState) -> None:
    after(state, known("one", "by content", READ), known("one", "by other content", Input(sha256="b" * 64, size=1)))

    assert (state.tasks["one"].identity, state.tasks["one"].view.inputs) == ("by content", (READ,))


def test_a_task_that_turns_out_to_have_succeeded_is_looked_at_again(state: RunState) -> None:
    outcome = Lost("all that it reads is what it was")

    after(state, AttemptEnded(at=EPOCH, task="one", attempt=1, outcome=outcome))

    assert state.tasks["one"].failures is None
    assert Identify(("one",)) in decide(state, FirstFit(), EPOCH)
