"""Tags on clouds that allow few characters."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from longshore.plugin.labels import as_label, of_label


@given(st.text())
def test_any_text_comes_back_as_it_was(text: str) -> None:
    label = as_label(text)
    assert re.fullmatch(r"[a-z0-9_-]*", label)
    assert of_label(label) == text


@given(st.text(), st.text())
def test_different_texts_stay_different_for_clouds_that_mind_no_capitals(one: str, other: str) -> None:
    assert (as_label(one).lower() == as_label(other).lower()) == (one == other)


@given(st.text("abcXYZ019_-.é"))
def test_what_others_have_written_is_not_taken_for_ours(label: str) -> None:
    text = of_label(label)
    assert text is None or as_label(text) == label
