"""Offers, prices, specs and leases as values: what cannot be wrong about them."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from longshore.model.lease import Evidence, LeasePhase, Proof, launch_token
from longshore.model.machine_spec import Tag
from longshore.model.offer import Needs, cost_between
from longshore.model.times import read_time, write_time

from .things import HOUR, MINUTE, NOW, lease, offer, price, spec

NOT_LISTED = Evidence(proof=Proof.NOT_LISTED, text="not in two lists", at=NOW)
REFUSED = Evidence(proof=Proof.REFUSED, text="no capacity", at=NOW)
NEVER = Evidence(proof=Proof.NEVER_REQUESTED, text="no call was made", at=NOW)

FORWARD = {
    ("intended", "requested"),
    ("requested", "known"),
    ("requested", "ending"),
    ("known", "ready"),
    ("known", "stopped"),
    ("known", "draining"),
    ("known", "ending"),
    ("ready", "stopped"),
    ("ready", "draining"),
    ("ready", "ending"),
    ("stopped", "known"),
    ("stopped", "ending"),
    ("draining", "ending"),
}


@pytest.mark.parametrize("before", LeasePhase)
@pytest.mark.parametrize("after", [phase for phase in LeasePhase if phase is not LeasePhase.ABSENT])
def test_a_lease_goes_only_where_its_phase_leads(before: LeasePhase, after: LeasePhase) -> None:
    present = lease(phase=before)
    if before is after or (before, after) in FORWARD:
        assert present.become(after, at=NOW + HOUR).phase is after
    else:
        with pytest.raises(ValueError, match=f"is {before}, from where it cannot become {after}"):
            present.become(after, at=NOW)


@pytest.mark.parametrize("phase", [phase for phase in LeasePhase if phase is not LeasePhase.ABSENT])
def test_only_evidence_that_fits_leads_to_absent(phase: LeasePhase) -> None:
    present = lease(phase=phase)
    missed_twice = evolve(present, misses=(NOW, NOW + HOUR))
    accepted = set()
    for evidence in (NEVER, REFUSED, NOT_LISTED):
        for each in (present, missed_twice):
            with contextlib.suppress(ValueError):
                each.become(LeasePhase.ABSENT, at=NOW, evidence=evidence)
                accepted.add((evidence.proof, len(each.misses)))
    expected = {(Proof.NOT_LISTED, 2)}
    if phase is LeasePhase.INTENDED:
        expected = {(Proof.NEVER_REQUESTED, 0), (Proof.NEVER_REQUESTED, 2)}
    if phase is LeasePhase.REQUESTED:
        expected |= {(Proof.REFUSED, 0), (Proof.REFUSED, 2)}
    assert accepted == expected
    with pytest.raises(ValueError, match="without evidence"):
        present.become(LeasePhase.ABSENT, at=NOW)


def test_a_refused_launch_is_intended_anew_with_another_number_and_offer() -> None:
    asked = lease().requested(at=NOW)
    again = asked.retried(offer("large"), at=NOW + MINUTE, refusal=REFUSED)
    assert (again.launch, again.phase, again.spec.offer.type, again.requested_at) == (
        2,
        LeasePhase.INTENDED,
        "large",
        None,
    )
    with pytest.raises(ValueError, match="only a launch that was refused"):
        asked.retried(offer(), at=NOW, refusal=NOT_LISTED)
    with pytest.raises(ValueError, match="only a launch that was refused"):
        lease(phase=LeasePhase.READY).retried(offer(), at=NOW, refusal=REFUSED)


def test_a_repeated_request_costs_from_the_first_and_is_looked_for_from_the_last() -> None:
    asked = lease().requested(at=NOW).requested(at=NOW + HOUR)
    assert (asked.phase, asked.requested_at, asked.asked_at) == (LeasePhase.REQUESTED, NOW, NOW + HOUR)
    with pytest.raises(ValueError, match="is ready, from where it cannot become requested"):
        lease(phase=LeasePhase.READY).requested(at=NOW)


@given(st.binary(min_size=1), st.text(min_size=1), st.text(min_size=1), st.integers(1, 99))
def test_a_token_follows_from_ledger_lease_and_launch_and_fits_into_any_tag(
    secret: bytes, ledger: str, name: str, launch: int
) -> None:
    token = launch_token(secret, ledger, name, launch)
    assert token == launch_token(secret, ledger, name, launch)
    assert len(token) == 40
    assert set(token) <= set("0123456789abcdef")
    others = [
        launch_token(secret + b"x", ledger, name, launch),
        launch_token(secret, ledger + "x", name, launch),
        launch_token(secret, ledger, name + "x", launch),
        launch_token(secret, ledger, name, launch + 1),
    ]
    assert token not in others


def test_a_machine_carries_its_token_and_end_in_its_tags_and_its_boot_script_in_no_repr() -> None:
    asked = spec()
    assert asked.tags("t1") == {
        Tag.OWNER: "me",
        Tag.LEDGER: "l-mine",
        Tag.PROJECT: "pv",
        Tag.RUN: "r1",
        Tag.POOL: "cloud",
        Tag.TOKEN: "t1",
        Tag.ENDS_AT: "20260101t020000z",
    }
    assert "longshore-boot" not in repr(asked)


@given(st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)))  # noqa: DTZ001 - made aware below
def test_a_time_in_a_tag_is_read_back_to_the_second(moment: datetime) -> None:
    aware = moment.replace(tzinfo=NOW.tzinfo)
    assert read_time(write_time(aware)) == aware.replace(microsecond=0)


@pytest.mark.parametrize("text", ["", "soon", "2026-01-01T00:00:00Z", "20261301t000000z"])
def test_what_is_no_time_is_none(text: str) -> None:
    assert read_time(text) is None


def test_times_without_a_zone_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="ends_at is 2026-01-01T00:00:00 without a time zone"):
        evolve(spec(), ends_at=NOW.replace(tzinfo=None))


@given(st.decimals("0", "1000", places=4), st.integers(0, 10**12), st.integers(0, 10**12))
def test_a_cost_is_never_less_than_exact_and_by_parts_never_less_than_whole(
    per_hour: Decimal, first: int, more: int
) -> None:
    begin, middle = NOW, NOW + timedelta(microseconds=first)
    end = middle + timedelta(microseconds=more)
    rate = price(str(per_hour))
    whole = cost_between(rate, begin, end).amount
    exact = per_hour * (first + more) / 3_600_000_000
    assert exact <= whole <= exact + Decimal("0.000001")
    assert cost_between(rate, begin, middle).amount + cost_between(rate, middle, end).amount >= whole
    assert cost_between(rate, end, begin).amount == (0 if first + more else whole)


@pytest.mark.parametrize(
    ("needs", "met"),
    [
        (Needs(), True),
        (Needs(cpus=2, memory_bytes=4 << 30), True),
        (Needs(cpus=3), False),
        (Needs(type="small"), True),
        (Needs(type="large"), False),
        (Needs(arch="arm64"), False),
        (Needs(gpus=1), False),
        (Needs(gpu_model="A100"), False),
    ],
)
def test_an_offer_meets_needs_when_it_has_at_least_as_much(needs: Needs, met: bool) -> None:
    assert offer().meets(needs) is met
