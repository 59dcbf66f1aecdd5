"""Successes are noted beside the loop, all of them, and a mistake of ours is told."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from longshore.errors import LongshoreError
from longshore.runtime.cache import Cache, Success
from longshore.runtime.remembering import Remembering


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def success(name: str) -> Success:
    return Success(identity=f"id-{name}", task=name, run="run", at=datetime(2026, 1, 1, tzinfo=UTC), parts="{}")


def test_all_that_was_added_is_noted_when_it_is_closed(folder: Path) -> None:
    cache, failures = Cache(folder), list[LongshoreError]()
    remembering = Remembering(cache, failures.append)
    names = [f"task{number}" for number in range(300)]
    for start in range(0, len(names), 3):
        remembering.add([success(name) for name in names[start : start + 3]])
    remembering.close()
    cache.close()
    assert Cache(folder).look_up([f"id-{name}" for name in names]).keys() == {f"id-{name}" for name in names}
    assert not failures


def test_a_mistake_of_ours_is_told_in_words(folder: Path) -> None:
    failures = list[LongshoreError]()
    remembering = Remembering(Cache(folder), failures.append)
    broken = Success(identity="x", task="x", run="run", at="never", parts="{}")  # type: ignore[arg-type]  # the mistake
    remembering.add([broken])
    remembering.close()
    assert [str(failure) for failure in failures] == [
        "successes cannot be noted: AttributeError: 'str' object has no attribute 'timestamp'"
    ]


def test_nothing_is_opened_for_a_run_without_successes(folder: Path) -> None:
    Remembering(Cache(folder), list[LongshoreError]().append).close()
    assert not folder.exists()
