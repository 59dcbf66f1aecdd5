"""Asking several at once, in threads that nobody waits for once the answer is not wanted any more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

__all__ = ["in_parallel"]

_T = TypeVar("_T")


def in_parallel(question: Callable[[str], _T], names: Sequence[str]) -> Iterator[tuple[str, _T]]:
    """Put a question, which must not raise, to all at once; give the answers in the order of the names.

    The threads are daemons: Ctrl-C does not wait for a cloud that does not answer.
    """
    answers: SimpleQueue[tuple[str, _T]] = SimpleQueue()

    def ask(name: str) -> None:
        answers.put((name, question(name)))

    for name in names:
        Thread(target=ask, args=(name,), daemon=True, name=f"longshore-{name}").start()
    found = dict(answers.get() for _ in names)
    for name in names:
        yield name, found[name]
