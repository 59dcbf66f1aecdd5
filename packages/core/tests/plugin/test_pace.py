"""Keeping to a cloud's rates."""

from __future__ import annotations

import time

from longshore.plugin.pace import Pace


def test_so_many_calls_go_through_at_once_and_the_rest_at_the_rate() -> None:
    pace = Pace(burst=3, per_second=20)
    moments = []
    for _ in range(7):
        pace.wait()
        moments.append(time.monotonic())
    # Whatever the computer is busy with, no call comes before its time.
    for place, moment in enumerate(moments[3:], 1):
        assert moment - moments[0] >= place / 20 - 0.001
