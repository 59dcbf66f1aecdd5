"""Keeping to a cloud's rates."""

from __future__ import annotations

import pytest

from longshore.plugin.pace import Pace


def test_so_many_calls_go_through_at_once_and_the_rest_at_the_rate() -> None:
    now, moments = 0.0, []

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    pace = Pace(burst=3, per_second=20, now=lambda: now, sleep=sleep)
    for _ in range(7):
        pace.wait()
        moments.append(now)
    assert moments == pytest.approx([0, 0, 0, 0.05, 0.1, 0.15, 0.2])

    now += 1
    for _ in range(4):
        pace.wait()
    assert now == pytest.approx(1.25), "after a rest so many go through again"
