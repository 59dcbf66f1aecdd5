from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from figures import CORE, OURS, PEAK, WALL, Bar, Contestant, Promise, Row, is_met, ratio_of, rows_of, shown

SECONDS = st.floats(min_value=1e-3, max_value=1e3)


def walls(name: str, *seconds: float | None) -> Contestant:
    return Contestant(name=name, label=name, readings=tuple(None if s is None else {WALL: s} for s in seconds))


def test_the_ratio_is_our_speed_divided_by_theirs() -> None:
    assert ratio_of(walls(OURS, 2.0), walls("make", 1.0)) == 0.5


def test_the_ratio_is_the_median_of_the_rounds_own_ratios() -> None:
    # The second round was slow for both; medians of the times alone would give 1.0.
    assert ratio_of(walls(OURS, 1.0, 10.0, 1.0), walls("make", 2.0, 20.0, 1.0)) == 2.0


def test_a_round_in_which_one_was_not_measured_counts_for_no_ratio() -> None:
    assert ratio_of(walls(OURS, 1.0, None, 4.0), walls("make", 3.0, 100.0, None)) == 3.0


def test_without_a_common_round_there_is_no_ratio() -> None:
    assert ratio_of(walls(OURS, None), walls("make", 1.0)) is None


def test_longshore_is_not_compared_with_itself() -> None:
    assert ratio_of(walls(OURS, 1.0), walls(f"{OURS}-python", 1.0)) is None


@given(ours=SECONDS, theirs=SECONDS, rounds=st.integers(min_value=1, max_value=9))
def test_the_ratio_of_equal_rounds_does_not_depend_on_their_number(ours: float, theirs: float, rounds: int) -> None:
    assert ratio_of(walls(OURS, *[ours] * rounds), walls("make", *[theirs] * rounds)) == theirs / ours


def test_a_row_has_the_median_the_rate_and_a_verdict_on_its_own_bar() -> None:
    bar = Bar(subject="xargs", promise=Promise.RATIO, limit=0.6)
    rows = rows_of("fan-100", 100, [walls(OURS, 3.0, 1.0, 2.0), walls("xargs", 1.5, 0.5, 1.0)], [bar])
    assert rows == [
        Row(
            scenario="fan-100",
            contender=OURS,
            label=OURS,
            quantity=WALL,
            unit="s",
            value=2.0,
            samples=(3.0, 1.0, 2.0),
            rate=50.0,
        ),
        Row(
            scenario="fan-100",
            contender="xargs",
            label="xargs",
            quantity=WALL,
            unit="s",
            value=1.0,
            samples=(1.5, 0.5, 1.0),
            rate=100.0,
            ratio=0.5,
            bar=">= 0.6x",
            met=False,
        ),
    ]


def test_each_quantity_has_a_row_of_its_own() -> None:
    plan = Contestant(name=OURS, label="plan", readings=({WALL: 1.0, PEAK: 5e8},))
    bar = Bar(subject=OURS, promise=Promise.BELOW, limit=4e8, quantity=PEAK)
    rows = rows_of("plan-100", 100, [plan], [bar])
    assert [(row.label, row.bar, row.met) for row in rows] == [
        ("plan", None, None),
        ("plan: peak memory", "< 400 MB", False),
    ]


def test_what_was_promised_of_somebody_absent_is_shown_as_not_measured() -> None:
    absent = Contestant(name=OURS, label="waiting", reason="did not install")
    bar = Bar(subject=OURS, promise=Promise.BELOW, limit=1, quantity=CORE)
    [row] = rows_of("waiting", None, [absent], [bar])
    assert (row.value, row.bar, row.met, row.reason) == (None, "< 1 %", None, "did not install")


@pytest.mark.parametrize(
    ("promise", "kept", "broken"),
    [
        (Promise.RATIO, {"ratio": 5.0}, {"ratio": 4.99}),
        (Promise.RATE, {"rate": 5.0}, {"rate": 4.99}),
        (Promise.BELOW, {"value": 4.99}, {"value": 5.0}),
        (Promise.EACH, {"value": 49.9}, {"value": 50.0}),
    ],
)
def test_a_promise_is_kept_on_the_right_side_of_its_limit(
    promise: Promise, kept: dict[str, float], broken: dict[str, float]
) -> None:
    bar = Bar(subject=OURS, promise=promise, limit=5)

    def judged(columns: dict[str, float]) -> bool | None:
        return is_met(bar, Row(scenario="s", contender="c", label="l", quantity=WALL, unit="s", **columns), tasks=10)  # type: ignore[arg-type]  # only numbers are given

    assert (judged(kept), judged(broken), judged({})) == (True, False, None)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.01234, "s", "0.0123 s"),
        (12.34, "s", "12.3 s"),
        (449.04, "s", "449.0 s"),
        (1.25e9, "B", "1,250 MB"),
        (0.128, "%", "0.128 %"),
    ],
)
def test_values_are_shown_with_units_to_three_digits(value: float, unit: str, text: str) -> None:
    assert shown(value, unit) == text
