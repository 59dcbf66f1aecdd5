"""How a cloud's words become our errors, and how many things are asked for in spite of some."""

from __future__ import annotations

import pytest

from longshore.errors import InvalidRequest, OutOfCapacity, ProviderError, Throttled
from longshore.plugin.refusals import Refusals, each_of, end_each, in_our_words

TABLE = Refusals(
    "Cumulus",
    {
        "Full": (OutOfCapacity, "try another zone"),
        "Bad*": (InvalidRequest, ""),
        "BadPace*": (Throttled, ""),
    },
)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("Full", OutOfCapacity),
        ("Fuller", ProviderError),
        ("BadName", InvalidRequest),
        ("BadPace", Throttled),
        ("BadPaceNow", Throttled),
        ("Bad", InvalidRequest),
        ("", ProviderError),
    ],
)
def test_a_code_is_of_the_class_of_the_longest_entry_that_fits(code: str, kind: type[ProviderError]) -> None:
    assert type(TABLE.error(code, "words", doing="renting")) is kind


def test_the_message_says_what_was_asked_what_the_cloud_said_and_what_to_do() -> None:
    assert str(TABLE.error("Full", "no\n  more", doing="renting a small one")) == (
        "renting a small one: Cumulus says Full: no more; try another zone"
    )


def test_a_message_without_end_is_cut() -> None:
    assert len(str(TABLE.error("Full", "x" * 100_000, doing="renting"))) < 700


def test_what_is_refused_for_one_thing_is_done_for_the_others_and_the_first_refusal_is_told() -> None:
    done: list[int] = []

    def do(number: int) -> None:
        if number % 2:
            raise ProviderError(f"no {number}")
        done.append(number)

    with pytest.raises(ProviderError, match="no 1"):
        each_of([0, 1, 2, 3, 4], do)
    assert done == [0, 2, 4]


def test_nothing_is_told_when_all_was_done() -> None:
    done: list[str] = []
    each_of("ab", done.append)
    each_of("", done.append)
    assert done == ["a", "b"]


def test_what_is_no_refusal_ends_it_at_once() -> None:
    done: list[int] = []

    def do(number: int) -> None:
        done.append(1 // number)

    with pytest.raises(ZeroDivisionError):
        each_of([1, 0, 1], do)
    assert done == [1]


def test_machines_are_ended_in_order_each_once_and_one_that_is_gone_is_no_news() -> None:
    asked: list[str] = []

    def end(machine: str) -> None:
        asked.append(machine)
        if machine != "c":
            raise InvalidRequest("there is none") if machine == "a" else OutOfCapacity("it is kept")

    with pytest.raises(OutOfCapacity, match="it is kept"):
        end_each(["c", "b", "a", "c"], end, gone=lambda error: isinstance(error, InvalidRequest))
    assert asked == ["a", "b", "c"]


def ours(error: Exception, doing: str) -> ProviderError | None:
    return Throttled(f"{doing}: too fast") if isinstance(error, KeyError) else None


def test_an_error_of_a_library_gets_out_in_our_words_with_itself_as_the_cause() -> None:
    cause = KeyError("slow down")
    with pytest.raises(Throttled, match="renting: too fast") as caught, in_our_words(ours, "renting"):
        raise cause
    assert caught.value.__cause__ is cause


def test_an_error_that_is_none_of_the_librarys_gets_out_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError), in_our_words(ours, "renting"):
        raise ZeroDivisionError
