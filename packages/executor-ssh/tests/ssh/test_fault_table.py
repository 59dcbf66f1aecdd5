"""The table of faults in the reference names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TABLE = Path(__file__).parents[4] / "docs" / "reference" / "ssh-faults.md"


@pytest.mark.skipif(not TABLE.exists(), reason="the documentation is not here")
def test_each_test_that_the_table_names_is_there() -> None:
    named = set(re.findall(r"`(test_\w+|Test\w+)`", TABLE.read_text()))
    sources = [path.read_text() for path in Path(__file__).parent.glob("test_*.py")]
    there = {name for source in sources for name in re.findall(r"^(?:def|class) (\w+)", source, re.MULTILINE)}

    assert named - there == set()
    assert named != set()
