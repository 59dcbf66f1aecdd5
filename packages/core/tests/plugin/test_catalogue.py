"""Answers of clouds that are kept on disk."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from longshore.plugin.catalogue import Catalogue, Entry

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


class Cloud:
    """Answers with how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> int:
        self.asked += 1
        return self.asked


def test_an_answer_is_asked_for_once_and_told_with_its_date_until_it_is_old(tmp_path: Path) -> None:
    clock, cloud = Clock(), Cloud()
    assert Catalogue(tmp_path, now=clock).get("types", cloud, keep=HOUR) == Entry(value=1, at=NOON)
    clock.now += HOUR / 2
    assert Catalogue(tmp_path, now=clock).get("types", cloud, keep=HOUR) == Entry(value=1, at=NOON)
    clock.now += HOUR
    assert Catalogue(tmp_path, now=clock).get("types", cloud, keep=HOUR) == Entry(value=2, at=clock.now)


def test_each_question_has_an_answer_of_its_own(tmp_path: Path) -> None:
    kept, cloud = Catalogue(tmp_path, now=Clock()), Cloud()
    assert [kept.get(each, cloud, keep=HOUR).value for each in ("a", "b", "a")] == [1, 2, 1]


def test_an_answer_from_the_future_is_not_believed(tmp_path: Path) -> None:
    clock, cloud = Clock(), Cloud()
    Catalogue(tmp_path, now=clock).get("types", cloud, keep=HOUR)
    clock.now -= HOUR * 24
    assert Catalogue(tmp_path, now=clock).get("types", cloud, keep=HOUR).value == 2


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"question": "types"}', '{"question": "types", "at": "?", "value": 7}']
)
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, content: str) -> None:
    clock, cloud = Clock(), Cloud()
    Catalogue(tmp_path, now=clock).get("types", cloud, keep=HOUR)
    (file,) = tmp_path.iterdir()
    file.write_text(content)
    assert Catalogue(tmp_path, now=clock).get("types", cloud, keep=HOUR).value == 2


def test_a_folder_that_cannot_be_made_costs_a_question_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    kept, cloud = Catalogue(tmp_path / "file" / "below", now=Clock()), Cloud()
    assert [kept.get("types", cloud, keep=HOUR).value for _ in range(2)] == [1, 2]


def test_what_the_cloud_refuses_gets_out_and_is_not_kept(tmp_path: Path) -> None:
    def refuse() -> int:
        raise PermissionError("no")

    kept = Catalogue(tmp_path, now=Clock())
    with pytest.raises(PermissionError):
        kept.get("types", refuse, keep=HOUR)
    assert kept.get("types", Cloud(), keep=HOUR).value == 1
