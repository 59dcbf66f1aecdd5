"""Whatever one call asks and waits for has one patience (law P5)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from longshore.errors import CloudUnreachable
from longshore.plugin.deadline import Calls

_LONG, _NONE = timedelta(hours=1), timedelta(0)


def test_all_of_a_call_has_one_patience_and_the_next_call_another() -> None:
    calls = Calls("Cloud", _LONG)
    with calls.one():
        first = calls.patience()
        with calls.one():
            assert calls.patience() is first
        assert calls.patience() is first
        assert 0 < first.check("asking") <= _LONG.total_seconds()
    with calls.one():
        assert calls.patience() is not first
    assert calls.patience() is not calls.patience()


def test_calls_of_other_threads_have_a_patience_of_their_own() -> None:
    calls = Calls("Cloud", _LONG)
    with calls.one(), ThreadPoolExecutor(1) as other:
        assert other.submit(calls.patience).result() is not calls.patience()


def test_a_call_that_has_failed_leaves_no_patience_behind() -> None:
    calls = Calls("Cloud", _LONG)
    known = []

    def fail() -> None:
        with calls.one():
            known.append(calls.patience())
            raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        fail()
    assert calls.patience() is not known[0]


def test_when_there_is_no_time_left_it_is_said_what_was_not_done() -> None:
    with pytest.raises(CloudUnreachable, match="listing machines: Cloud has not answered all of it in time"):
        Calls("Cloud", _NONE).patience().check("listing machines")
