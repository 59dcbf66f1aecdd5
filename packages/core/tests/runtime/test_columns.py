"""One task for each file and column, and one record for each file that has none."""

from __future__ import annotations

import csv
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from longshore import Run, RunOptions, load, start
from longshore.config.columns import find_columns
from longshore.config.resolve import resolve
from longshore.errors import StagingError
from longshore.model.task import ColumnsOf
from longshore.runtime.planning import plan
from longshore.scheduler.graph import expand
from longshore.scheduler.narrow import first_members

Play = Callable[..., Run]

FILES = {
    "a.csv": "time,Power(W),x,Power max\n1,2,3,4\n",
    "b.csv": "time,x\n1,2\n",
    "c.csv": '"Power, all",time\n1,2\n',
}
FLOW = """
name = "c"
[tasks.fit]
for_each.column = { columns_of = "file", matching = "^Power" }
for_each.file = { glob = "data/*.csv" }
command = 'printf "n\\n%s" "$(head -1 "$file" | wc -c)" > r.csv'
outputs = ["r.csv"]
collect = "all.csv"
"""


@pytest.fixture
def play(tmp_path: Path) -> Play:
    def run(text: str, files: Mapping[str, str | bytes]) -> Run:
        (tmp_path / "data").mkdir(exist_ok=True)
        for name, content in files.items():
            (tmp_path / "data" / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        (tmp_path / "longshore.toml").write_text(text)
        loaded = load(tmp_path / "longshore.toml")
        with start(loaded.spec, loaded.folder, RunOptions()) as running:
            running.wait(timeout=120)
        return running

    return run


def rows(run: Run, name: str) -> list[dict[str, str]]:
    with (run.results / "fit" / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_each_matching_column_of_each_file_is_a_task_and_a_file_without_one_is_a_record(play: Play) -> None:
    run = play(FLOW, FILES)

    assert [(row["file"], row["column"]) for row in rows(run, "all.csv")] == [
        ("data/a.csv", "Power(W)"),
        ("data/a.csv", "Power max"),
        ("data/c.csv", "Power, all"),
    ]
    [error] = rows(run, "errors.csv")
    assert (error["file"], error["column"], error["state"]) == ("data/b.csv", "", "failed")
    assert error["reason"] == "data/b.csv has no column that matches '^Power'; it has time, x"
    assert run.state == "failed"


BROKEN: Mapping[str, tuple[bytes, str]] = {
    "no text": (b"tim\xe9,Power\n", "is not utf-8 (byte 0xe9)"),
    "a gigabyte line, or the beginning of it": (b"x" * (1 << 21), "a first line of more than 1 MiB"),
    "nothing": (b"", "is empty"),
    "an open quote": (b'"Power\n1', "is not CSV"),
    "no header": (b"1,2\n3,4\n", "has no column that matches"),
}


@pytest.mark.parametrize(("content", "says"), BROKEN.values(), ids=BROKEN)
def test_a_file_whose_header_cannot_be_read_is_a_record_too(play: Play, content: bytes, says: str) -> None:
    run = play(FLOW, {"a.csv": FILES["a.csv"], "z.csv": content})

    assert len(rows(run, "all.csv")) == 2
    [error] = rows(run, "errors.csv")
    assert says in error["reason"]


def test_a_header_in_another_encoding_and_names_that_stand_twice_or_are_empty(play: Play) -> None:
    text = FLOW.replace('"^Power" }', '".", encoding = "latin-1" }')
    run = play(text, {"a.csv": "caf\xe9,,b,b\n".encode("latin-1")})

    assert [row["column"] for row in rows(run, "all.csv")] == ["caf\xe9", "b"]


def test_the_files_may_be_what_an_earlier_task_wrote(play: Play) -> None:
    text = FLOW.replace("data/*.csv", "workflow:///split/o/*.csv").replace('"$file"', "workflow:///split/$file")
    run = play(text + '[tasks.split]\ncommand = "cp -r data o"\ninputs = ["data"]\noutputs = ["o/"]\n', FILES)

    assert [(row["file"], row["column"]) for row in rows(run, "all.csv")] == [
        ("o/a.csv", "Power(W)"),
        ("o/a.csv", "Power max"),
        ("o/c.csv", "Power, all"),
    ]
    assert [row["file"] for row in rows(run, "errors.csv")] == ["o/b.csv"]


def test_a_plan_shows_the_members_and_the_reasons(play: Play, tmp_path: Path) -> None:
    play(FLOW, FILES)
    loaded = load(tmp_path)

    planned = {each.task: each for each in plan(loaded.spec, loaded.folder)}

    assert "no column that matches" in planned["fit[file=data%2Fb.csv,column=%empty]"].reason
    assert not planned["fit[file=data%2Fb.csv,column=%empty]"].runs
    assert len(planned) == 4


def test_a_trial_takes_the_first_files_and_the_first_columns_of_each(play: Play, tmp_path: Path) -> None:
    play(FLOW, FILES)
    loaded = load(tmp_path)

    [task] = first_members(resolve(loaded.spec, loaded.folder), 1).tasks

    assert [dict(each.params)["column"] for each in expand(task)] == ["Power(W)"]


class Far:
    """Objects that are a round trip away; one has vanished since it was listed."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self.asked: list[int] = []

    def __call__(self, url: str, most: int) -> bytes:
        time.sleep(self._seconds)  # what a round trip takes is what this is about
        with self._lock:
            self.asked.append(most)
        if url.endswith("/7.csv"):
            raise StagingError(f"{url} is not there any more")
        return b"time,Power\n"[:most]


def test_the_headers_of_objects_far_away_are_asked_for_together_and_by_their_beginnings() -> None:
    far = Far(0.02)
    urls = [f"s3://bucket/{number}.csv" for number in range(500)]

    found = find_columns(ColumnsOf(parameter="file", matching="Power"), urls, far)

    assert list(found) == urls
    assert found[urls[0]] == ("Power",)
    assert found[urls[7]] == "the columns of s3://bucket/7.csv cannot be read: s3://bucket/7.csv is not there any more"
    assert max(far.asked) <= 1 << 16
    assert len(far.asked) == 500
