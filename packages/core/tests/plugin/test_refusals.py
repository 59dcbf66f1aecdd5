"""How a cloud's words become our errors."""

from __future__ import annotations

import pytest

from longshore.errors import InvalidRequest, OutOfCapacity, ProviderError, Throttled
from longshore.plugin.refusals import Refusals

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
