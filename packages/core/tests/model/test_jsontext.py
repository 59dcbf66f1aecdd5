"""JSON written by the writer and by the standard library is the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.model.jsontext import json_writer

_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(_VALUES)
def test_it_writes_what_the_standard_library_writes(value: Any) -> None:
    assert json_writer()(value) == json.dumps(value, separators=(",", ":"))
    assert json_writer(sort_keys=True)(value) == json.dumps(value, separators=(",", ":"), sort_keys=True)
    assert json_writer(compact=False, ascii_only=False)(value) == json.dumps(value, ensure_ascii=False)


def test_what_json_cannot_say_is_refused() -> None:
    with pytest.raises(TypeError, match="set is not JSON serializable"):
        json_writer()({"args": {1, 2}})
