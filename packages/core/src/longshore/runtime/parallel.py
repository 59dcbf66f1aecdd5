"""Asking several at once, in threads that nobody waits for once the answer is not wanted any more."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from datetime import timedelta
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

__all__ = ["in_parallel"]

_A = TypeVar("_A", bound=Hashable)
_T = TypeVar("_T")


def in_parallel(
    question: Callable[[_A], _T], about: Sequence[_A], *, within: timedelta, most: int | None = None
) -> dict[_A, _T]:
    """Put a question, which must not raise, about all at once, or about at most so many; give the answers that have
    come in time.

    The threads are daemons: neither Ctrl-C nor the end of the time waits for a cloud that does not answer.
    """
    waiting: SimpleQueue[_A] = SimpleQueue()
    answers: SimpleQueue[tuple[_A, _T]] = SimpleQueue()
    for each in about:
        waiting.put(each)

    def ask() -> None:
        while True:
            try:
                each = waiting.get_nowait()
            except Empty:
                return
            answers.put((each, question(each)))

    for each in about[:most]:
        Thread(target=ask, daemon=True, name=f"longshore-{each}").start()
    until = time.monotonic() + within.total_seconds()
    found: dict[_A, _T] = {}
    while len(found) < len(about):
        try:
            each, answer = answers.get(timeout=max(0.0, until - time.monotonic()))
        except Empty:
            break
        found[each] = answer
    return found
