"""Asking several at once, in threads that nobody waits for once the answer is not wanted any more."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

__all__ = ["in_parallel"]

_T = TypeVar("_T")


def in_parallel(question: Callable[[str], _T], names: Sequence[str], *, within: timedelta) -> dict[str, _T]:
    """Put a question, which must not raise, to all at once; give the answers that have come in time.

    The threads are daemons: neither Ctrl-C nor the end of the time waits for a cloud that does not answer.
    """
    answers: SimpleQueue[tuple[str, _T]] = SimpleQueue()

    def ask(name: str) -> None:
        answers.put((name, question(name)))

    for name in names:
        Thread(target=ask, args=(name,), daemon=True, name=f"longshore-{name}").start()
    until = time.monotonic() + within.total_seconds()
    found: dict[str, _T] = {}
    while len(found) < len(names):
        try:
            name, answer = answers.get(timeout=max(0.0, until - time.monotonic()))
        except Empty:
            break
        found[name] = answer
    return found
