"""Every event about rented machines comes back from the journal as it was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from longshore.model.lease import LeasePhase
from longshore.model.lease_events import (
    LeaseChanged,
    LeaseDraining,
    LeaseIntended,
    LeasesLeft,
    OffersFound,
    OffersMissing,
    TasksRefused,
)
from longshore.model.offer import Offer, Price
from longshore.model.outcome import FailureClass
from longshore.model.quantity import Money
from longshore.model.resources import Resources
from longshore.runtime.codec import decode, encode

TEXT = st.text(min_size=1, max_size=6)
MOMENTS = st.integers(0, 10**15).map(lambda us: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(microseconds=us))
MONEY = st.builds(Money, amount=st.decimals("0", "999", places=6), currency=st.just("EUR"))
OFFERS = st.builds(
    Offer,
    type=TEXT,
    region=TEXT,
    zone=TEXT,
    resources=st.builds(Resources, cpus=st.floats(0, 99), memory_bytes=st.integers(0, 2**40)),
    gpu_model=TEXT,
    price=st.none() | st.builds(Price, per_hour=MONEY, source=TEXT, at=MOMENTS),
    spot=st.booleans(),
)
KEYS = st.tuples(TEXT, TEXT, TEXT, st.booleans())
TEXTS = st.lists(TEXT, max_size=2).map(tuple)
EVENTS = st.one_of(
    st.builds(
        OffersFound,
        at=MOMENTS,
        pool=TEXT,
        offers=st.lists(st.lists(OFFERS, max_size=2).map(tuple), max_size=2).map(tuple),
        room=st.lists(st.tuples(KEYS, st.integers(0, 9)), max_size=2).map(tuple),
    ),
    st.builds(OffersMissing, at=MOMENTS, pool=TEXT, reason=TEXT),
    st.builds(LeaseIntended, at=MOMENTS, lease=TEXT, pool=TEXT, kind=st.integers(0, 3), offer=OFFERS, ends_at=MOMENTS),
    st.builds(
        LeaseChanged,
        at=MOMENTS,
        lease=TEXT,
        pool=TEXT,
        phase=st.sampled_from(LeasePhase),
        machine=st.just("") | TEXT,
        offer=KEYS,
        price=st.none() | MONEY,
        cost=st.none() | MONEY,
        ends_at=MOMENTS,
        kept=st.booleans(),
        failure=st.none() | st.sampled_from(FailureClass),
        reason=st.just("") | TEXT,
    ),
    st.builds(LeaseDraining, at=MOMENTS, lease=TEXT, reason=TEXT, doomed=st.booleans()),
    st.builds(LeasesLeft, at=MOMENTS, leases=TEXTS, reason=TEXT),
    st.builds(TasksRefused, at=MOMENTS, tasks=TEXTS, reason=TEXT, failure=st.sampled_from(FailureClass)),
)


@given(event=EVENTS)
def test_what_is_written_is_read_back(event: LeaseChanged) -> None:
    assert decode(*encode(event)) == event


def test_amounts_keep_all_their_digits() -> None:
    money = Money(amount=Decimal("0.100"), currency="USD")
    at = datetime(2026, 1, 1, tzinfo=UTC)
    event = LeaseChanged(
        at=at, lease="a", pool="p", phase=LeasePhase.KNOWN, offer=("t", "r", "z", False), cost=money, ends_at=at
    )
    again = decode(*encode(event))
    assert isinstance(again, LeaseChanged)
    assert str(again.cost) == "0.100 USD"
