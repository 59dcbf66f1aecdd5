"""What is to be done for one key is done in order; different keys wait for each other only when all hands are full."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial

import pytest

from longshore_k8s.hands import Hands

SECONDS = 120.0


def _fail() -> None:
    raise ValueError("as it may happen")


def _wait(gate: threading.Event) -> None:
    gate.wait(SECONDS)


@pytest.fixture
def hands() -> Iterator[Hands]:
    hands = Hands("test", 2)
    yield hands
    hands.close(SECONDS)


def test_jobs_of_one_key_are_done_in_their_order_one_at_a_time(hands: Hands) -> None:
    done: list[int] = []
    over = threading.Event()
    for number in range(100):
        hands.do("a", lambda number=number: done.append(number))  # type: ignore[misc]  # mypy cannot infer it
    hands.do("a", over.set)

    assert over.wait(SECONDS)
    assert done == list(range(100))


def test_a_job_that_takes_long_holds_up_no_other_key(hands: Hands) -> None:
    gate, over = threading.Event(), threading.Event()
    hands.do("a", partial(_wait, gate))

    hands.do("b", over.set)

    assert over.wait(SECONDS)
    gate.set()


def test_a_job_that_fails_ends_no_hand(hands: Hands) -> None:
    over = threading.Event()
    for _ in range(5):
        hands.do("a", _fail)
    hands.do("a", over.set)

    assert over.wait(SECONDS)


def test_what_is_for_later_is_done_when_its_time_has_come_in_that_order(hands: Hands) -> None:
    done: list[str] = []
    over = threading.Event()
    hands.after(0.2, "a", over.set)
    hands.after(0.1, "a", lambda: done.append("second"))
    hands.after(0.0, "a", lambda: done.append("first"))

    assert over.wait(SECONDS)
    assert done == ["first", "second"]


def test_nothing_begins_after_the_end() -> None:
    hands = Hands("test", 2)
    hands.after(3600.0, "a", lambda: pytest.fail("it was done"))

    hands.close(SECONDS)
    hands.do("a", lambda: pytest.fail("it was done"))
    hands.after(0.0, "a", lambda: pytest.fail("it was done"))

    assert [each.name for each in threading.enumerate() if each.name.startswith("longshore-test-")] == []
