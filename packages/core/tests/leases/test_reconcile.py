"""What follows from a cloud's list: nothing is lost, nothing is ended that is not ours, and absence is proven."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from attrs import evolve

from longshore.model.lease import Lease, LeasePhase
from longshore.model.machine import Machine
from longshore.model.machine_spec import SideResource
from longshore.plugin.provider import Scope, Terms
from longshore.scheduler.lease_actions import Absent, Confirm, Launch, LeaseAction, Missed, Seen, Sweep, Terminate
from longshore.scheduler.leases import Book, Listing, reconcile

from .things import HOUR, LEDGER, MINUTE, NOW, lease, machine, spec

SECOND = timedelta(seconds=1)
TERMS = Terms(listing_lag=20 * SECOND, settle=40 * SECOND, deadline=30 * SECOND)
COUNTS = 60 * SECOND
"""So long after a machine was known a list may prove something: the settle time and the lag."""
UNANSWERED = 90 * SECOND
"""So long after a call whose answer nobody has: its deadline besides."""


def book(*leases: Lease, over: bool = False, attended: bool = True, busy: bool = False) -> Book:
    runs = frozenset({"r1"})
    return Book(
        ledger=LEDGER,
        leases=leases,
        tokens={f"t-{each.id}": each.id for each in leases},
        over=runs if over else frozenset(),
        attended=runs if attended else frozenset(),
        busy=frozenset(each.id for each in leases) if busy else frozenset(),
    )


def listing(*machines: Machine, at: datetime = NOW, scope: Scope | None = None) -> Listing:
    return Listing(provider="fake", scope=scope or Scope(account="acc"), terms=TERMS, asked_at=at, machines=machines)


def told(ledger: Book, *machines: Machine, after: timedelta = MINUTE) -> list[LeaseAction]:
    return reconcile(ledger, listing(*machines, at=NOW + after), NOW + after)


INTENDED = lease()
REQUESTED = lease(phase=LeasePhase.REQUESTED)
READY = lease(phase=LeasePhase.READY, machine="i-1")
ENDING = lease(phase=LeasePhase.ENDING, machine="i-1")
OURS = machine("i-1", token="t-a")


def test_an_intent_of_a_run_that_we_control_is_launched() -> None:
    assert told(book(INTENDED)) == [Launch("a")]


def test_an_intent_of_a_run_that_another_controls_is_left_alone() -> None:
    assert told(book(INTENDED, attended=False)) == []


def test_a_machine_that_was_kept_stays_when_its_run_has_ended_until_its_end_time() -> None:
    kept = evolve(READY, kept=True, beat_at=NOW, spec=evolve(spec(), unattended=2 * HOUR))
    there = machine("i-1", token="t-a")
    assert told(book(kept, over=True, attended=False), there) == []
    assert told(book(kept, over=True, attended=False), there, after=2 * HOUR) == [
        Terminate(("i-1",), "its end time has come", "a")
    ]


def test_an_intent_of_a_run_that_has_ended_is_struck_out_as_never_requested() -> None:
    (action,) = told(book(INTENDED, over=True))
    assert isinstance(action, Absent)
    assert INTENDED.become(LeasePhase.ABSENT, at=NOW, evidence=action.evidence).phase is LeasePhase.ABSENT


def test_a_request_whose_machine_is_listed_is_confirmed_and_not_made_again() -> None:
    assert told(book(REQUESTED), OURS) == [Confirm("a", "i-1")]


def test_a_request_whose_machine_is_not_listed_is_repeated_under_its_token() -> None:
    assert told(book(REQUESTED)) == [Launch("a")]


def test_a_call_under_way_is_left_alone() -> None:
    assert told(book(REQUESTED, busy=True)) == []
    assert told(book(REQUESTED, busy=True), OURS) == []


def test_a_launch_that_was_done_twice_keeps_one_machine() -> None:
    assert told(book(REQUESTED), machine("i-2", token="t-a"), OURS) == [
        Confirm("a", "i-1"),
        Terminate(("i-2",), "the launch was done twice"),
    ]


def test_a_duplicate_that_turns_up_later_is_ended_and_the_known_machine_stays() -> None:
    known = evolve(READY, machine="i-2")
    assert told(book(known), OURS, machine("i-2", token="t-a")) == [Terminate(("i-1",), "the launch was done twice")]


def test_nothing_follows_for_a_machine_that_is_as_it_should_be() -> None:
    assert told(book(READY), OURS) == []


def test_a_machine_of_another_cloud_with_the_same_id_is_not_taken_for_ours() -> None:
    ours = lease("a", LeasePhase.READY, machine="i-1")
    elsewhere = evolve(lease("b", LeasePhase.READY, machine="i-1"), provider="other")
    for leases in ((ours, elsewhere), (elsewhere, ours)):
        assert told(book(*leases), machine("i-1", ours)) == []


def test_a_list_that_came_too_early_proves_nothing() -> None:
    assert told(book(READY), after=COUNTS - SECOND) == []


def test_the_end_of_a_machine_that_the_only_call_has_named_is_proven_without_waiting_for_that_call() -> None:
    ended = evolve(ENDING, since=NOW + 5 * SECOND)
    assert told(book(ended), after=COUNTS + 4 * SECOND) == []
    assert told(book(ended), after=COUNTS + 5 * SECOND) == [Missed("a", NOW + COUNTS + 5 * SECOND)]


def test_the_end_of_a_machine_that_lived_long_is_proven_by_the_next_lists() -> None:
    ended = evolve(ENDING, since=NOW + HOUR)
    assert told(book(ended), after=HOUR) == [Missed("a", NOW + HOUR)]


@pytest.mark.parametrize(
    "ended",
    [
        evolve(lease(phase=LeasePhase.ENDING), since=NOW + SECOND),
        evolve(ENDING, since=NOW + SECOND, requested_at=NOW - SECOND),
    ],
    ids=["nobody has its answer", "an earlier one was not answered"],
)
def test_what_a_call_without_an_answer_may_still_make_is_waited_for(ended: Lease) -> None:
    assert told(book(ended), after=UNANSWERED - SECOND) == []
    assert told(book(ended), after=UNANSWERED) == [Missed("a", NOW + UNANSWERED)]


def test_a_machine_that_is_handed_over_soon_after_calls_without_an_answer_waits_for_them_as_before() -> None:
    kept = evolve(READY, kept=True, since=NOW + SECOND, requested_at=NOW - SECOND)
    taken = kept.handed_over("a", "r1", "cloud", at=NOW + 2 * SECOND).become(LeasePhase.ENDING, at=NOW + 3 * SECOND)
    assert told(book(taken), after=UNANSWERED - SECOND) == []


def test_absence_is_confirmed_by_two_lists_past_the_lag_and_apart() -> None:
    first = NOW + COUNTS
    assert told(book(READY), after=COUNTS) == [Missed("a", first)]
    missed = evolve(READY, misses=(first,))
    assert told(book(missed), after=COUNTS + 19 * SECOND) == []
    second, absent = told(book(missed), after=COUNTS + 20 * SECOND)
    assert second == Missed("a", first + 20 * SECOND)
    assert isinstance(absent, Absent)
    proven = evolve(missed, misses=(first, first + 20 * SECOND))
    assert proven.become(LeasePhase.ABSENT, at=NOW, evidence=absent.evidence).phase is LeasePhase.ABSENT


def test_after_a_crash_between_the_second_miss_and_the_end_the_end_is_made_up_for() -> None:
    missed = evolve(READY, misses=(NOW + COUNTS, NOW + COUNTS + MINUTE))
    assert [type(each) for each in told(book(missed), after=HOUR)] == [Absent]


def test_a_sighting_takes_back_a_miss() -> None:
    assert told(book(evolve(READY, misses=(NOW,))), OURS) == [Seen("a")]


@pytest.mark.parametrize(
    "scope", [Scope(account="another"), Scope(account="acc", regions=frozenset({"south"}))], ids=["account", "region"]
)
def test_a_list_of_another_account_or_region_proves_nothing(scope: Scope) -> None:
    at = NOW + HOUR
    missed = evolve(READY, misses=(NOW + COUNTS,))
    assert reconcile(book(missed), listing(at=at, scope=scope), at) == []
    elsewhere = evolve(missed, provider="other")
    assert reconcile(book(elsewhere), listing(at=at), at) == []


def test_a_machine_that_is_ending_and_still_listed_is_ended_again() -> None:
    assert told(book(ENDING), OURS) == [Terminate(("i-1",), "its end was asked for, and it is still there", "a")]


@pytest.mark.parametrize("phase", [LeasePhase.KNOWN, LeasePhase.READY, LeasePhase.STOPPED, LeasePhase.DRAINING])
def test_a_machine_whose_run_has_ended_or_whose_time_has_come_is_ended(phase: LeasePhase) -> None:
    living = lease(phase=phase, machine="i-1")
    assert told(book(living, over=True), OURS) == [Terminate(("i-1",), "its run has ended", "a")]
    assert told(book(living), OURS, after=2 * HOUR) == [Terminate(("i-1",), "its end time has come", "a")]


def test_a_machine_whose_controller_has_gone_is_kept_for_resume_until_its_unattended_time_is_over() -> None:
    beaten = evolve(READY, beat_at=NOW + 10 * MINUTE)
    assert told(book(beaten, attended=False), OURS, after=50 * MINUTE) == []
    assert told(book(beaten, attended=False), OURS, after=51 * MINUTE) == [
        Terminate(("i-1",), "nobody has attended to it", "a")
    ]
    assert told(book(beaten, attended=True), OURS, after=51 * MINUTE) == []
    stopped = evolve(beaten, phase=LeasePhase.STOPPED)
    assert told(book(stopped, attended=False), OURS, after=HOUR) == []


def test_a_machine_of_our_ledger_without_a_living_lease_is_a_stray_and_ended() -> None:
    assert told(book(), OURS) == [Terminate(("i-1",), "it is ours, and no lease is on it")]


def test_a_machine_of_another_ledger_is_foreign_and_left_alone_until_its_end_and_grace_are_over() -> None:
    foreign = machine("i-9", token="t-a", ledger="l-laptop-two")
    assert told(book(READY), OURS, foreign) == []
    at = NOW + 2 * HOUR + 11 * MINUTE
    (action,) = reconcile(book(), listing(foreign, at=at), at)
    assert action == Terminate(("i-9",), "it is foreign and should have ended at 2026-01-01 02:00 UTC")


def test_foreign_machines_are_ended_when_that_is_asked_for() -> None:
    foreign = machine("i-9", ledger="l-laptop-two")
    actions = reconcile(book(), listing(foreign), NOW, end_foreign=True)
    assert actions == [Terminate(("i-9",), "foreign machines are to be ended")]


def test_a_machine_without_our_tags_or_with_a_spoilt_end_time_is_never_ended() -> None:
    unreadable = evolve(OURS, id="i-8", tags={"longshore-owner": "me", "longshore-ends-at": "yesterday"})
    assert told(book(), unreadable, after=1000 * HOUR) == []


def test_side_resources_without_a_user_are_swept() -> None:
    key = SideResource(id="key-1", kind="key")
    assert told(evolve(book(), unused=(key,))) == [Sweep((key,))]


def test_a_machine_of_a_refused_launch_is_ended_and_does_not_become_the_next_one() -> None:
    again = lease(of=spec())
    assert told(book(evolve(again, launch=2)), OURS) == [
        Terminate(("i-1",), "it is of a launch that was refused"),
        Launch("a"),
    ]
