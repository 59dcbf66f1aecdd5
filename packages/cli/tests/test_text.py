from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from longshore_cli.text import Cleaner, ago, clean, counted, counts, last_lines, shorten, table

SEQUENCES = [
    "\x1b[31m",
    "\x1b[2J",
    "\x1b]0;title\x07",
    "\x1b]8;;http://x\x1b\\",
    "\x1bP1$r\x1b\\",
    "\x9b31m",
    "\x1b(B",
    "\x1bc",
]
PIECES = st.one_of(st.sampled_from(SEQUENCES), st.text(alphabet="ab[m0;\n\t\r\x07é", max_size=5))


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_sequences_that_steer_a_terminal_are_taken_out(sequence: str) -> None:
    assert clean(f"a{sequence}b") == "ab"


def test_newlines_and_tabs_stay_and_carriage_returns_hide_nothing() -> None:
    assert clean("10%\r20%\r\n\tdone\x07\x00") == "10%\n20%\n\tdone"


@given(st.text())
def test_what_is_cleaned_holds_no_control_character(text: str) -> None:
    assert not any((ord(char) < 32 and char not in "\n\t") or 0x7F <= ord(char) < 0xA0 for char in clean(text))


@example("\r\x1b[31m\n", [2])
@example("\r\x1b[31m\n", [6])
@given(st.lists(PIECES).map("".join), st.lists(st.integers(min_value=0, max_value=60)))
def test_text_in_pieces_is_cleaned_as_a_whole(text: str, cuts: list[int]) -> None:
    cleaner = Cleaner()
    places = [0, *sorted(cut for cut in cuts if cut <= len(text)), len(text)]
    pieces = [text[start:end] for start, end in pairwise(places)]
    assert "".join([*map(cleaner.feed, pieces), cleaner.close()]) == clean(text)


def test_a_sequence_that_never_ends_does_not_swallow_what_follows() -> None:
    cleaner = Cleaner()
    shown = cleaner.feed("\x1b]0;") + "".join(cleaner.feed("x" * 1000) for _ in range(10)) + cleaner.close()
    assert len(shown) > 5000


def test_last_lines_are_few_short_and_not_blank() -> None:
    assert last_lines("one\n\n\x1b[31mtwo\x1b[0m\n" + "x" * 50, 2, width=11) == ["two", "xxxxx…xxxxx"]


@given(st.text(min_size=1, max_size=50), st.integers(min_value=4, max_value=60))
def test_a_shortened_text_fits_and_keeps_both_ends(text: str, width: int) -> None:
    short = shorten(text, width)
    assert len(short) <= width
    assert (short == text) or (short[0], short[-1]) == (text[0], text[-1])


def test_numbers_come_with_their_nouns() -> None:
    assert [counted(1, "task"), counted(2000, "task"), counts({"failed": 1, "lost": 0, "running": 2})] == [
        "1 task",
        "2,000 tasks",
        "1 failed, 2 running",
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "just now"), (1, "1 second ago"), (130, "2 minutes ago"), (7200, "2 hours ago"), (200_000, "2 days ago")],
)
def test_the_past_is_told_in_one_unit(seconds: int, words: str) -> None:
    now = datetime(2026, 3, 14, tzinfo=UTC)
    assert ago(now - timedelta(seconds=seconds), now) == words


def test_tables_are_aligned_and_have_no_trailing_blanks() -> None:
    assert (
        table([["a", "1", "x"], ["bbb", "22", ""]], ["NAME", "N", ""], right=[1]) == "NAME   N\na      1  x\nbbb   22"
    )
