from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Event as Flag
from threading import Thread
from typing import Any

import pytest
from attrs import evolve

from longshore.model.artifact import Artifact
from longshore.model.command import Shell
from longshore.model.events import (
    AttemptEnded,
    AttemptStarted,
    Event,
    Identified,
    InputsFailed,
    MachineGone,
    MembersMade,
    ResultsDelivered,
    StopAsked,
    TasksAdded,
    TasksIdentified,
)
from longshore.model.lease import LeasePhase
from longshore.model.lease_events import LeaseChanged, LeasesLeft, OffersFound, OffersMissing, TasksRefused
from longshore.model.move_events import Moved, MoveFailed
from longshore.model.offer import Offer, Price
from longshore.model.outcome import Cancelled, Exited, FailureClass, Lost
from longshore.model.quantity import Money
from longshore.model.resources import Resources
from longshore.model.task import TaskSpec
from longshore_cli.text import moment
from longshore_cli.view.feed import Feed, Shown
from longshore_cli.view.lines import LineDisplay, highest_rank
from longshore_cli.view.live import Progress
from longshore_cli.view.words import Line, Rank, lines_of

AT = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
OUTPUT = Artifact(path="fit/x", sha256="0" * 64, size=1024)


def ended(outcome: Exited | Lost | Cancelled, failure: FailureClass | None = None, attempt: int = 1) -> AttemptEnded:
    return AttemptEnded(
        at=AT,
        task="fit",
        attempt=attempt,
        outcome=outcome,
        failure=failure,
        started_at=AT,
        ended_at=AT + timedelta(seconds=2),
    )


def no(_: str) -> bool:
    return False


PRICE = Price(per_hour=Money(amount=Decimal("0.10"), currency="USD"), source="list", at=AT)
OFFER = Offer(type="small", region="north", resources=Resources(cpus=2), price=PRICE, spot=True)


def lease(phase: LeasePhase, **words: Any) -> LeaseChanged:
    known = {"machine": "i-1", "offer": OFFER.key, "ends_at": AT, **words}
    return LeaseChanged(at=AT, lease="cloud-1", pool="cloud", phase=phase, **known)


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (AttemptStarted(at=AT, task="fit", attempt=2), Line(Rank.SMALL, "running", "fit started (attempt 2)")),
        (ended(Exited(0)), Line(Rank.USUAL, "succeeded", "fit succeeded after 2 s")),
        (
            ended(Exited(-9), FailureClass.OUT_OF_MEMORY, attempt=3),
            Line(Rank.ALWAYS, "failed", "fit failed after 2 s: out of memory, signal 9 (attempt 3)"),
        ),
        (ended(Cancelled()), Line(Rank.USUAL, "cancelled", "fit was cancelled after 2 s")),
        (ended(Lost("never started")), Line(Rank.USUAL, "lost", "fit lost: never started; it is tried again")),
        (
            InputsFailed(at=AT, task="fit", reason="no \x1b[31mfile"),
            Line(Rank.ALWAYS, "failed", "fit failed: no file"),
        ),
        (
            TasksIdentified(at=AT, items=(Identified(task="fit", identity="1", outputs=(), source="r1"),)),
            Line(Rank.VERBOSE, "up to date", "fit is up to date since run r1"),
        ),
        (MembersMade(at=AT, name="fit", values=(("a", "b"), ("1",))), Line(Rank.USUAL, "", "fit has 2 members")),
        (MachineGone(at=AT, machine="m", reason="bye"), Line(Rank.ALWAYS, "lost", "machine m is gone: bye")),
        (
            MachineGone(at=AT, machine="m", reason="bye", over_by=AT),
            Line(
                Rank.ALWAYS,
                "lost",
                f"machine m is out of reach; what it has is run elsewhere from {moment(AT)} on: bye",
            ),
        ),
        (
            Moved(at=AT, artifacts=(OUTPUT, OUTPUT), source="h1"),
            Line(Rank.VERBOSE, "", "2 outputs came home from h1 (2 KiB)"),
        ),
        (
            Moved(at=AT, artifacts=(OUTPUT,), source="h1", target="h2", straight=True),
            Line(Rank.VERBOSE, "", "1 output went straight from h1 to h2 (1 KiB)"),
        ),
        (
            Moved(at=AT, artifacts=(OUTPUT,), source="h1", target="h2"),
            Line(Rank.VERBOSE, "", "1 output went by here from h1 to h2 (1 KiB)"),
        ),
        (
            Moved(at=AT, artifacts=(evolve(OUTPUT, path="s3://b/x"),), source="s3://b", target="h2", straight=True),
            Line(Rank.VERBOSE, "", "1 object went straight from s3://b to h2 (1 KiB)"),
        ),
        (
            MoveFailed(at=AT, artifact=OUTPUT, source="h1", failure=FailureClass.STAGING, reason="no"),
            Line(Rank.USUAL, "lost", "fit/x did not come from h1: no"),
        ),
        (ResultsDelivered(at=AT, task="fit", problem="full"), Line(Rank.ALWAYS, "failed", "full")),
        (
            lease(LeasePhase.INTENDED, machine="", price=Money(amount=Decimal("0.10"), currency="USD")),
            Line(Rank.USUAL, "", "renting small in north (spot), 0.10 USD an hour for pool cloud (cloud-1)"),
        ),
        (
            lease(LeasePhase.KNOWN, warm=True),
            Line(Rank.USUAL, "", "going on with machine i-1, which an earlier run has left (cloud-1)"),
        ),
        (lease(LeasePhase.ENDING), Line(Rank.USUAL, "", "ending machine i-1")),
        (
            lease(LeasePhase.ABSENT, cost=Money(amount=Decimal("0.02"), currency="USD")),
            Line(Rank.USUAL, "", "machine i-1 is no more; it cost 0.02 USD"),
        ),
        (
            lease(LeasePhase.ABSENT, machine="", failure=FailureClass.CAPACITY, reason="no \x1b[31msmall"),
            Line(Rank.ALWAYS, "lost", "cloud-1 was not rented: capacity: no small"),
        ),
        (
            lease(LeasePhase.READY, kept=True),
            Line(Rank.USUAL, "", f"machine i-1 stays up for the next run, until {AT:%H:%M} UTC"),
        ),
        (
            LeasesLeft(at=AT, leases=("cloud-1",), reason="gc"),
            Line(Rank.ALWAYS, "lost", "1 machine could not be seen to end (cloud-1): gc"),
        ),
        (
            OffersMissing(at=AT, pool="cloud", reason="no answer"),
            Line(Rank.ALWAYS, "lost", "pool cloud cannot rent now: no answer"),
        ),
        (
            OffersFound(at=AT, pool="cloud", offers=((OFFER,),), room=((OFFER.key, 0),)),
            Line(
                Rank.ALWAYS,
                "lost",
                "the account's limits leave no room for machines of pool cloud; ask for more in the console of the "
                "cloud, or use less there",
            ),
        ),
        (
            TasksRefused(at=AT, tasks=("fit",), reason="too dear"),
            Line(Rank.ALWAYS, "failed", "fit failed: capacity: too dear"),
        ),
        (
            TasksAdded(at=AT, tasks=tuple(TaskSpec(name=f"t{n}", command=Shell("true")) for n in range(7))),
            Line(Rank.USUAL, "", "7 tasks joined: t0, t1, t2, t3, t4 and 2 more"),
        ),
    ],
)
def test_what_has_happened_is_said_in_a_line(event: Event, line: Line) -> None:
    assert list(lines_of(event, no)) == [line]


def test_a_failure_that_is_tried_again_is_told_as_such() -> None:
    [line] = lines_of(ended(Exited(3), FailureClass.USER_CODE), lambda task: task == "fit")
    assert line.text == "fit failed after 2 s: user code, exit code 3; it is tried again"


@pytest.mark.parametrize(
    "event",
    [
        StopAsked(at=AT),
        lease(LeasePhase.KNOWN),
        ResultsDelivered(at=AT, task="fit"),
        OffersFound(at=AT, pool="cloud", offers=((OFFER,),), room=((OFFER.key, 1),)),
        OffersFound(at=AT, pool="cloud", offers=((OFFER,),)),
    ],
)
def test_what_says_nothing_to_a_user_is_not_told(event: Event) -> None:
    assert list(lines_of(event, no)) == []


def test_starts_are_told_of_small_runs_only() -> None:
    events: list[Event] = [AttemptStarted(at=AT, task="fit", attempt=1), ended(Exited(0))]
    for tasks, lines in ((10, 2), (10_000, 1)):
        stream = io.StringIO()
        LineDisplay(stream, highest_rank(0, tasks), no).take(events)
        assert len(stream.getvalue().splitlines()) == lines


def test_a_reader_that_has_gone_does_not_stop_the_run() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    LineDisplay(Gone(), Rank.VERBOSE, no).take([ended(Exited(0))])


def test_tasks_run_from_their_start_to_their_end() -> None:
    progress = Progress()
    for event in (AttemptStarted(at=AT, task="fit", attempt=1), AttemptStarted(at=AT, task="other", attempt=1)):
        progress.take(event)
    progress.take(ended(Exited(0)))
    progress.take(ended(Exited(0)))
    assert progress.longest(5) == [("other", AT)]


class Collector:
    """A display that keeps what it is shown."""

    tick: float | None = None

    def __init__(self) -> None:
        self.taken: list[Sequence[Event]] = []
        self.said: list[str] = []
        self.closed = False
        self.first = Flag()

    def take(self, events: Sequence[Event]) -> None:
        self.taken.append(list(events))
        self.first.set()

    def say(self, text: str) -> None:
        self.said.append(text)

    def close(self) -> None:
        self.closed = True


def test_a_display_is_shown_everything_in_order_and_in_few_batches() -> None:
    feed, display = Feed(), Collector()
    events = [AttemptStarted(at=AT, task=str(number), attempt=1) for number in range(2000)]
    with Shown(feed, [display]):
        for event in events:
            feed.listen([event])
        feed.say("a message")
    assert [event for batch in display.taken for event in batch] == events
    assert len(display.taken) < 100
    assert (display.said, display.closed) == (["a message"], True)


def test_a_display_that_fails_does_not_keep_the_command_from_ending(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Collector):
        def take(self, events: Sequence[Event]) -> None:
            super().take(events)
            if events:
                raise OSError("the terminal is gone")

    feed, display = Feed(), Broken()
    with Shown(feed, [display]):
        feed.listen([ended(Exited(0))])
    assert display.closed
    assert "progress is not shown any more" in caplog.text


def test_ticks_come_though_nothing_happens() -> None:
    feed = Feed()
    batches = feed.batches(lambda: 0.01)
    found: list[object] = []
    thread = Thread(target=lambda: found.extend(next(batches) for _ in range(2)), daemon=True)
    thread.start()
    thread.join(120)
    assert found == [[], []]
