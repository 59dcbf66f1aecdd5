"""Sizes, durations and money are read as people write them, and shown so that they can be read again."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.model.quantity import (
    Money,
    format_duration,
    format_size,
    parse_duration,
    parse_money,
    parse_size,
)

SIZE_UNITS = {
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
    "Mi": 2**20,
    "Gi": 2**30,
    "K": 2**10,
    "M": 2**20,
    "G": 2**30,
    "T": 2**40,
}
NO_SIZE = ["", "x", "16 XB", "-1", "1e9", "1,5 GB", "GB", "16 Gb/s", "0x10", "NaN", "1 GB 2 MB", "٣ GB", "9" * 21]
NO_DURATION = ["", "x", "30", "1e3 s", "-5 s", "5 fortnights", "P", "PT", "P1Y", "P1M", "1:30:00", "1 h 30", "s", "٣ s"]
NO_MONEY = ["", "5", "$5", "USD 5", "5 dollars", "-5 USD", "1,000 USD", "NaN USD", "5 US", "1e3 USD"]


@given(st.integers(0, 1000), st.sampled_from(sorted(SIZE_UNITS)), st.sampled_from(["", " ", "  "]))
def test_a_size_is_its_number_times_its_unit(number: int, unit: str, space: str) -> None:
    assert parse_size(f" {number}{space}{unit}") == number * SIZE_UNITS[unit]
    assert parse_size(f"{number}{space}{unit.lower()}") == number * SIZE_UNITS[unit]


@pytest.mark.parametrize(("text", "size"), [("1.5 GiB", 1610612736), ("0.1 GB", 10**8), ("1.0001 kB", 1001), ("7", 7)])
def test_parts_of_a_unit_are_exact_and_parts_of_a_byte_rounded_up(text: str, size: int) -> None:
    assert parse_size(text) == size


@given(st.integers(0, 2**63 - 1))
def test_a_plain_number_is_bytes(number: int) -> None:
    assert parse_size(number) == number


@pytest.mark.parametrize("value", [*NO_SIZE, -1, 2**63, "9 PiB 1", "9000 PiB", True, None, 1.5, ["1 GB"]])
def test_what_is_no_size_is_refused_with_examples(value: object) -> None:
    with pytest.raises(ValueError, match='write it as in "500 MB", "16 GiB"'):
        parse_size(value)


@given(st.integers(0, 2**53))
def test_a_shown_size_reads_as_nearly_the_same_and_then_stays(size: int) -> None:
    read = parse_size(format_size(size))

    assert read == pytest.approx(size, rel=0.006)
    assert format_size(read) == format_size(size)


@given(st.integers(1, 999), st.sampled_from(["B", "KiB", "MiB", "GiB", "TiB"]))
def test_a_round_size_is_shown_as_it_was_written(number: int, unit: str) -> None:
    assert format_size(parse_size(f"{number} {unit}")) == f"{number} {unit}"


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("30 s", timedelta(seconds=30)),
        ("5 min", timedelta(minutes=5)),
        ("5m", timedelta(minutes=5)),
        ("1 h 30 min", timedelta(minutes=90)),
        ("1h30m", timedelta(minutes=90)),
        ("2 d", timedelta(days=2)),
        ("1 week 2 days", timedelta(days=9)),
        ("250 ms", timedelta(milliseconds=250)),
        ("1.5 Hours", timedelta(minutes=90)),
        ("0 s", timedelta()),
        ("PT2H", timedelta(hours=2)),
        ("P1DT2H3M4.5S", timedelta(days=1, hours=2, minutes=3, seconds=4.5)),
        ("P2W", timedelta(weeks=2)),
        ("pt0.25s", timedelta(milliseconds=250)),
    ],
)
def test_a_duration_is_read_in_words_and_in_iso_form(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize("value", [*NO_DURATION, 30, 1.5, True, None, "99999999999999 w"])
def test_what_is_no_duration_is_refused_with_examples(value: object) -> None:
    with pytest.raises(ValueError, match='write it as in "30 s", "5 min", "1 h 30 min"'):
        parse_duration(value)


@pytest.mark.parametrize("text", ["30 min 1 h", "1 h 2 h", "1 s 1 sec"])
def test_units_out_of_order_are_taken_for_a_mistake(text: str) -> None:
    with pytest.raises(ValueError, match="from the largest to the smallest"):
        parse_duration(text)


@given(st.timedeltas(timedelta(), timedelta(days=4000)))
def test_a_shown_duration_reads_as_nearly_the_same_and_then_stays(duration: timedelta) -> None:
    read = parse_duration(format_duration(duration))

    assert read.total_seconds() == pytest.approx(duration.total_seconds(), rel=0.021, abs=5e-6)
    assert format_duration(read) == format_duration(duration)


@given(st.integers(1, 23), st.integers(1, 59))
def test_a_duration_of_two_units_is_shown_as_it_was_written(large: int, small: int) -> None:
    for text in (f"{large} h {small} min", f"{large} min {small} s", f"{large} d {large} h", f"{small} s"):
        assert format_duration(parse_duration(text)) == text


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 s"),
        (0.00025, "0.25 ms"),
        (0.0123, "12.3 ms"),
        (0.25, "250 ms"),
        (0.99999, "1 s"),
        (1.234, "1.23 s"),
        (59.97, "1 min"),
        (3599.9, "1 h"),
        (86399, "1 d"),
        (-90, "-1 min 30 s"),
    ],
)
def test_a_duration_is_shown_with_what_people_want_to_know(seconds: float, shown: str) -> None:
    assert format_duration(timedelta(seconds=seconds)) == shown


@given(st.decimals(0, 10**9, places=2), st.sampled_from(["USD", "EUR", "CHF"]))
def test_money_reads_as_it_is_shown(amount: Decimal, currency: str) -> None:
    money = Money(amount=amount, currency=currency)

    assert parse_money(str(money)) == money


def test_money_needs_no_space_and_no_capitals() -> None:
    assert parse_money("0.50eur") == Money(amount=Decimal("0.50"), currency="EUR")


@pytest.mark.parametrize("value", [*NO_MONEY, 5, 5.0, None])
def test_what_is_no_money_is_refused_with_examples(value: object) -> None:
    with pytest.raises(ValueError, match='write it as in "5 USD"'):
        parse_money(value)


@pytest.mark.parametrize(("amount", "currency"), [("-1", "USD"), ("NaN", "USD"), ("Infinity", "USD"), ("1", "usd")])
def test_money_cannot_be_made_wrong(amount: str, currency: str) -> None:
    with pytest.raises(ValueError, match=r"amount|currency|must|finite"):
        Money(amount=Decimal(amount), currency=currency)
