"""Calls of foreign code that must come to an end, whatever it does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

__all__ = ["TookTooLong", "within"]

_T = TypeVar("_T")


class TookTooLong(Exception):
    """A call has not ended in time. It goes on, and nobody hears of it any more."""


def within(time: timedelta, call: Callable[[], _T]) -> _T:
    """Give what a call gives, or raise what it raises, when that is within so much time.

    It is made in a thread of its own, for one that hangs cannot be ended: it is left behind, and ends with the process.

    Raises:
        TookTooLong: when it is not.
    """
    ended = threading.Event()
    given: list[_T] = []
    raised: list[BaseException] = []

    def work() -> None:
        try:
            given.append(call())
        except BaseException as error:  # noqa: BLE001 - raised again where it was asked for
            raised.append(error)
        ended.set()

    threading.Thread(target=work, name="longshore-within", daemon=True).start()
    if not ended.wait(time.total_seconds()):
        raise TookTooLong
    if raised:
        raise raised[0]
    return given[0]
