"""Rows about a run say what its events say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from longshore.model.artifact import Artifact
from longshore.model.environment_events import BuildIntended, EnvironmentBuilt, EnvironmentFailed
from longshore.model.events import (
    AttemptEnded,
    AttemptIntended,
    AttemptStarted,
    Event,
    Identified,
    InputsFailed,
    MachineAdded,
    MachineGone,
    RunContinued,
    RunEnded,
    TasksIdentified,
)
from longshore.model.lease_events import LeaseChanged, LeaseIntended, TasksRefused
from longshore.model.lease_phase import LeasePhase
from longshore.model.move_events import InputsStaged, Moved
from longshore.model.offer import Offer
from longshore.model.outcome import Cancelled, Exited, FailureClass, Lost, Usage
from longshore.model.quantity import Money
from longshore.model.resources import Resources
from longshore.runtime.attempt_rows import RestRow, read_attempts, read_rests
from longshore.runtime.fleet_rows import read_builds, read_leases, read_machines
from longshore.runtime.history import RunReader
from longshore.runtime.journal import Journal
from longshore.runtime.output_rows import read_moves, read_outputs, read_refusals

BEGIN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ROOM = Resources(cpus=2, memory_bytes=1)

Written = Callable[..., RunReader]


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def since(moment: float | None) -> float | None:
    return None if moment is None else round(moment - BEGIN.timestamp(), 3)


@pytest.fixture
def written(tmp_path: Path) -> Written:
    def write(*events: Event) -> RunReader:
        journal = Journal.create(tmp_path, {"name": "w"})
        journal.write(events, [])
        journal.commit()
        journal.close()
        return RunReader(tmp_path)

    return write


def ended(task: str, seconds: float, *, began: float, took: float = 1.0, attempt: int = 1) -> AttemptEnded:
    return AttemptEnded(
        at=at(seconds),
        task=task,
        attempt=attempt,
        outcome=Exited(0),
        started_at=at(began),
        ended_at=at(began + took),
        usage=Usage(cpu_seconds=0.5, peak_memory_bytes=77),
    )


def intended(task: str, seconds: float, *, machine: str = "m", attempt: int = 1) -> AttemptIntended:
    return AttemptIntended(at=at(seconds), task=task, attempt=attempt, machine=machine)


def test_an_attempt_is_one_row_with_its_whole_story(written: Written) -> None:
    [row] = read_attempts(
        written(
            intended("a", 0),
            InputsStaged(at=at(1), task="a", attempt=1),
            AttemptStarted(at=at(2.5), task="a", attempt=1, workdir="/w"),
            ended("a", 4, began=2),
        )
    )
    assert (row.task, row.attempt, row.machine, row.outcome, row.failure) == ("a", 1, "m", "exit code 0", "")
    assert [*map(since, (row.intended, row.staged, row.started, row.ended, row.heard))] == [0, 1, 2, 3, 4]
    assert (row.seconds, row.succeeded, row.cpu_seconds, row.peak_memory_bytes) == (1.0, True, 0.5, 77)


def test_an_attempt_that_is_not_over_has_no_end(written: Written) -> None:
    begun, waiting = read_attempts(
        written(intended("a", 0), AttemptStarted(at=at(1), task="a", attempt=1), intended("b", 2))
    )
    assert (since(begun.started), begun.ended, begun.heard, begun.outcome, begun.seconds) == (1, None, None, "", None)
    assert (waiting.started, waiting.succeeded) == (None, False)


def test_attempts_that_came_to_nothing_say_how(written: Written) -> None:
    lost, cancelled, failed = read_attempts(
        written(
            intended("a", 0),
            AttemptEnded(at=at(1), task="a", attempt=1, outcome=Lost("no answer"), failure=FailureClass.MACHINE_LOST),
            intended("a", 2, attempt=2),
            AttemptEnded(at=at(3), task="a", attempt=2, outcome=Cancelled()),
            intended("b", 4),
            AttemptEnded(
                at=at(5), task="b", attempt=1, outcome=Exited(-9), failure=FailureClass.OUT_OF_MEMORY, evidence="oom"
            ),
        )
    )
    assert [(row.outcome, row.failure) for row in (lost, cancelled, failed)] == [
        ("lost: no answer", "machine lost"),
        ("cancelled", ""),
        ("signal 9", "out of memory"),
    ]
    assert failed.evidence == "oom"
    assert not any(row.succeeded for row in (lost, cancelled, failed))


@pytest.mark.parametrize(
    ("wrong_by", "begins"),
    [
        (0.0, [1, 4]),
        (0.2, [1.2, 4.2]),  # it may be right, as far as anybody can tell
        (-100.0, [0.5, 3.5]),  # by as little as makes the first begin after it was intended
        (100.0, [1.5, 4.5]),  # and the last end before it was heard of
    ],
)
def test_a_machine_whose_clock_is_wrong_is_moved_until_causes_precede_effects(
    written: Written, wrong_by: float, begins: list[float]
) -> None:
    rows = read_attempts(
        written(
            intended("a", 0.5),
            ended("a", 2.5, began=1 + wrong_by),
            intended("b", 3),
            ended("b", 6, began=4 + wrong_by),
            intended("c", 7, machine="other"),
            ended("c", 9, began=7.5),
        )
    )
    assert [since(row.started) for row in rows] == [*begins, 7.5]
    assert [row.seconds for row in rows] == [1, 1, 1]


def test_the_times_without_a_controller_are_rests(written: Written) -> None:
    reader = written(
        RunContinued(at=at(0), fence=1),
        intended("a", 1),
        RunContinued(at=at(60), fence=2),
        RunEnded(at=at(61), state="interrupted"),
        RunContinued(at=at(90), fence=3),
    )
    found = [(since(rest.begun), since(rest.ended)) for rest in read_rests(reader)]
    assert found == [(1, 60), (61, 90)]
    assert isinstance(read_rests(reader)[0], RestRow)


def test_builds_have_their_ends_and_their_locks(written: Written) -> None:
    rows = read_builds(
        written(
            BuildIntended(at=at(0), environment="sci", number=1, machine="m"),
            BuildIntended(at=at(0), environment="sci", number=2, machine="n"),
            EnvironmentBuilt(
                at=at(5),
                environment="sci",
                number=2,
                key="k",
                lock="numpy==2\n",
                locks=(("conda.txt", "@EXPLICIT\n"),),
                python="3.11.4",
            ),
            EnvironmentFailed(
                at=at(7), environment="sci", number=1, failure=FailureClass.ENVIRONMENT, evidence="no such package"
            ),
            BuildIntended(at=at(8), environment="sci", number=3, machine="m"),
        )
    )
    assert [(row.machine, since(row.begun), since(row.ended), row.failure, row.locks) for row in rows] == [
        ("m", 0, 7, "environment", {}),
        ("n", 0, 5, "", {"conda.txt": "@EXPLICIT\n", "txt": "numpy==2\n"}),
        ("m", 8, None, "", {}),
    ]


def test_machines_say_when_they_came_and_why_they_went(written: Written) -> None:
    rows = read_machines(
        written(
            MachineAdded(at=at(0), machine="local", pool="local", resources=ROOM),
            MachineAdded(at=at(1), machine="i-1", pool="cloud", resources=ROOM),
            MachineGone(at=at(9), machine="i-1", reason="taken away"),
        )
    )
    assert [(row.machine, row.pool, row.cpus, since(row.added), since(row.gone), row.reason) for row in rows] == [
        ("local", "local", 2, 0, None, ""),
        ("i-1", "cloud", 2, 1, 9, "taken away"),
    ]


def test_a_machine_that_has_come_back_is_not_gone(written: Written) -> None:
    [row] = read_machines(
        written(
            MachineAdded(at=at(0), machine="h", pool="lab", resources=ROOM),
            MachineGone(at=at(5), machine="h", reason="out of reach", over_by=at(60)),
            MachineAdded(at=at(9), machine="h", pool="lab", resources=ROOM, again=True),
        )
    )
    assert (since(row.added), row.gone, row.reason) == (0, None, "")


OFFER = Offer(type="small", region="r", zone="z", spot=True, resources=ROOM)


def lease(phase: LeasePhase, seconds: float, cost: Decimal | None = None, *, kept: bool = False) -> LeaseChanged:
    return LeaseChanged(
        at=at(seconds),
        lease="cloud-1",
        pool="cloud",
        phase=phase,
        machine="i-1",
        offer=OFFER.key,
        price=Money(amount=Decimal("0.36"), currency="USD"),
        cost=None if cost is None else Money(amount=cost, currency="USD"),
        ends_at=at(9999),
        kept=kept,
    )


@pytest.mark.parametrize(
    ("changes", "over", "cost"),
    [
        ([lease(LeasePhase.ABSENT, 100)], 100, "0.01"),
        ([lease(LeasePhase.ABSENT, 100, Decimal("0.0123"))], 100, "0.0123"),
        ([lease(LeasePhase.READY, 50, kept=True)], 50, "0.005"),
        ([RunContinued(at=at(200), fence=2)], None, "0.02"),
    ],
    ids=["over", "over-with-a-known-cost", "kept", "living"],
)
def test_a_lease_costs_by_its_price_until_it_is_over_unless_its_cost_is_known(
    written: Written, changes: list[Event], over: float | None, cost: str
) -> None:
    begin = LeaseIntended(at=at(0), lease="cloud-1", pool="cloud", kind=0, offer=OFFER, ends_at=at(9999))
    [row] = read_leases(written(begin, lease(LeasePhase.READY, 10), *changes))
    assert (row.machine, row.kind, row.spot, since(row.ready), since(row.over)) == ("i-1", "small", True, 10, over)
    assert row.cost == Money(amount=Decimal(cost), currency="USD")
    until = Money(amount=Decimal("0.04"), currency="USD") if over is None else row.cost
    assert row.cost_until(at(400).timestamp()) == until, "what is over costs no more"


def test_a_lease_that_never_became_a_machine_costs_nothing(written: Written) -> None:
    begin = LeaseIntended(at=at(0), lease="cloud-1", pool="cloud", kind=0, offer=OFFER, ends_at=at(9999))
    [row] = read_leases(written(begin))
    assert row.cost is None


def file(path: str, size: int) -> Artifact:
    return Artifact(path=path, sha256="0" * 64, size=size, mode=0o644, kind="file")


def test_outputs_are_those_of_the_last_success_here_or_before(written: Written) -> None:
    reader = written(
        TasksIdentified(
            at=at(0), items=(Identified(task="old", identity="i", outputs=(file("o", 3),), source="run-0"),)
        ),
        AttemptEnded(at=at(1), task="a", attempt=1, outcome=Exited(0), outputs=(file("lost", 1),)),
        AttemptEnded(at=at(2), task="a", attempt=2, outcome=Exited(0), outputs=(file("x", 1), file("y", 2))),
        AttemptEnded(at=at(3), task="b", attempt=1, outcome=Exited(1), failure=FailureClass.USER_CODE),
        AttemptEnded(at=at(4), task="c", attempt=1, outcome=Exited(0), result='{"n": 1}'),
    )
    rows = read_outputs(reader)
    assert [(row.task, row.path, row.size_bytes, row.value, row.source) for row in rows] == [
        ("old", "o", 3, "", "run-0"),
        ("a", "x", 1, "", ""),
        ("a", "y", 2, "", ""),
        ("c", "", 8, '{"n": 1}', ""),
    ]
    assert read_outputs(reader, "a") == rows[1:3]
    assert read_outputs(reader, skip=1, most=2) == rows[1:3]


def test_what_moved_is_told_by_task(written: Written) -> None:
    reader = written(
        Moved(at=at(3), artifacts=(file("a/x", 1), file("a/y", 2), file("b/z", 4)), source="m"),
        Moved(at=at(5), artifacts=(file("a/x", 1),), source="m", target="n"),
    )
    rows = read_moves(reader)
    assert [(row.task, row.machine, row.target, since(row.at), row.size_bytes) for row in rows] == [
        ("a", "m", "", 3, 3),
        ("b", "m", "", 3, 4),
        ("a", "m", "n", 5, 1),
    ]
    assert read_moves(reader, "a") == [rows[0], rows[2]]
    assert read_moves(reader, skip=1, most=1) == [rows[1]]


def test_objects_that_a_machine_got_from_a_bucket_belong_to_no_task(written: Written) -> None:
    objects = (file("s3://b/a/x", 1), file("s3://b/y", 2))
    reader = written(Moved(at=at(3), artifacts=objects, source="s3://b", target="m", straight=True))

    [row] = read_moves(reader)

    assert (row.task, row.machine, row.target, row.size_bytes) == ("", "s3://b", "m", 3)


def test_why_a_task_could_not_begin_is_what_was_said_last(written: Written) -> None:
    reader = written(
        InputsFailed(at=at(0), task="a", reason="it is gone"),
        TasksRefused(at=at(1), tasks=("b", "c"), reason="none is large enough"),
        InputsFailed(at=at(2), task="a", reason="it is gone still"),
    )
    assert read_refusals(reader) == {
        "a": "it is gone still",
        "b": "none is large enough",
        "c": "none is large enough",
    }
