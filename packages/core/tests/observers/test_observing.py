"""Observers are told of all that happens, and none of them can harm a run."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime

import pytest

from longshore.model.events import Event, RunContinued, RunEnded
from longshore.runtime import observing
from longshore.runtime.observing import Observing

_AT = datetime(2026, 3, 14, tzinfo=UTC)
_EVENTS: list[Event] = [RunContinued(at=_AT, fence=1), RunEnded(at=_AT, state="succeeded")]


class _Broken:
    """Fails at everything, at its end too."""

    def notice(self, event: Event) -> None:
        raise RuntimeError(f"no {type(event).__name__}")

    def close(self) -> None:
        raise RuntimeError("no end")


class _Listening:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self.closed = 0

    def notice(self, event: Event) -> None:
        assert not self.closed, "told after its end"
        self.kinds.append(type(event).__name__)

    def close(self) -> None:
        self.closed += 1


class _Hanging:
    """Does not return while it is not let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()

    def notice(self, event: Event) -> None:
        self.let_go.wait()


def test_each_is_told_of_every_event_in_its_order_and_closed_once() -> None:
    one, other = _Listening(), _Listening()
    with Observing({"one": one, "other": other}) as told:
        told.listen(_EVENTS)
    assert [one.kinds, other.kinds] == [["RunContinued", "RunEnded"]] * 2
    assert (one.closed, other.closed) == (1, 1)


def test_one_that_fails_is_named_once_and_harms_neither_the_run_nor_others(caplog: pytest.LogCaptureFixture) -> None:
    listening = _Listening()
    with Observing({"broken": _Broken(), "listening": listening}) as told:
        told.listen(_EVENTS)
    assert listening.kinds == ["RunContinued", "RunEnded"]
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == [
        "observer broken has failed, and may again: RuntimeError: no RunContinued"
    ]


def test_one_that_hangs_holds_nobody_up_and_what_it_missed_is_told(caplog: pytest.LogCaptureFixture) -> None:
    hanging, listening = _Hanging(), _Listening()
    with Observing({"hanging": hanging, "listening": listening}, patience=0.05) as told:
        told.listen(_EVENTS)
    assert listening.kinds == ["RunContinued", "RunEnded"]
    assert "observer hanging has not taken" in caplog.text
    hanging.let_go.set()


def test_one_that_is_too_slow_misses_events_and_no_memory_is_filled(caplog: pytest.LogCaptureFixture) -> None:
    hanging = _Hanging()
    with Observing({"hanging": hanging}, patience=0.05) as told:
        told.listen([RunContinued(at=_AT, fence=number) for number in range(observing.MOST_BEHIND + 500)])
    assert "observer hanging was too slow for" in caplog.text
    hanging.let_go.set()
