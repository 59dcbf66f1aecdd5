"""Hours open and close when clocks on the wall say so, also when these are put forward or back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longshore.model.hours import Hours, parse_hours

MOMENTS = st.timedeltas(timedelta(0), timedelta(days=3650)).map(lambda after: datetime(2020, 1, 1, tzinfo=UTC) + after)
HOURS = st.builds(
    Hours,
    days=st.frozensets(st.integers(0, 6), min_size=1),
    begin=st.integers(0, 1439),
    end=st.integers(0, 1440),
    zone=st.sampled_from(["UTC", "Europe/Paris", "America/New_York", "Pacific/Apia", "Australia/Lord_Howe"]),
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_work_begins_and_ends_by_the_time_of_the_place() -> None:
    hours = parse_hours("Mon-Fri 08-18 Europe/Paris")
    assert not hours.is_open(at("2026-01-05 06:59"))  # a Monday in winter: UTC+1
    assert hours.is_open(at("2026-01-05 07:00"))
    assert hours.is_open(at("2026-07-06 06:00"))  # in summer: UTC+2
    assert not hours.is_open(at("2026-01-05 17:00"))
    assert not hours.is_open(at("2026-01-10 10:00"))
    assert hours.next_change(at("2026-01-09 12:00")) == at("2026-01-09 17:00")
    assert hours.next_change(at("2026-01-09 17:00")) == at("2026-01-12 07:00")


def test_nights_belong_to_the_day_on_which_they_begin() -> None:
    hours = parse_hours("Fri 22:30-06:00 UTC")
    assert hours.is_open(at("2026-01-10 05:59"))
    assert not hours.is_open(at("2026-01-09 05:59"))


def test_days_may_go_round_the_weekend() -> None:
    assert parse_hours("Fri-Mon 0-24 UTC").days == {4, 5, 6, 0}
    assert parse_hours("sat,Tue 0-24 UTC").days == {5, 1}


def test_what_is_always_open_never_changes() -> None:
    assert parse_hours("daily 00-24 UTC").next_change(at("2026-01-05 12:00")) is None


@pytest.mark.parametrize(
    "text", ["", "Mon 08-18", "Mon 24-25 UTC", "Mon 08:60-09 UTC", "Mon 8-9 Nowhere", "Mon 8-9 ../x"]
)
def test_what_is_no_hours_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="Europe/Paris"):
        parse_hours(text)


@settings(deadline=None)
@given(hours=HOURS, moment=MOMENTS)
def test_between_a_moment_and_the_next_change_nothing_changes(hours: Hours, moment: datetime) -> None:
    change = hours.next_change(moment)
    last = moment + timedelta(days=7) if change is None else change
    step = (last - moment) / 7
    assert {hours.is_open(moment + step * index) for index in range(7)} == {hours.is_open(moment)}
    if change is not None:
        assert hours.is_open(change) != hours.is_open(moment)
