"""Whole runs over a bucket, by the command."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from .wire import Asked, Wire, begun

SECONDS = 120.0

_OVER = """
name = "over"

[tasks.size]
for_each.file = { glob = "s3://BUCKET/data/*.csv", first = 3 }
command = "wc -c < $file > size"
outputs = ["size"]

[tasks.all]
command = "cat workflow:///size/*/size > sizes; cat other/x >> sizes"
inputs = ["s3://BUCKET/other/x"]
outputs = ["sizes"]
"""


_COLUMNS = """
name = "columns"

[tasks.one]
for_each.file = { glob = "s3://BUCKET/tables/*.csv" }
for_each.column = { columns_of = "file", matching = "Power.*" }
command = "test -f $file && echo $file $column > one"
outputs = ["one"]

[tasks.all]
command = "cat workflow:///one/*/one > all"
outputs = ["all"]
"""


_OUT = """
name = "out"

[tasks.make]
command = "mkdir -p d/e && echo x > d/e/x && ln -s x d/e/link && echo y > y"
outputs = ["d/", "y"]
results_to = "s3://BUCKET/results/"

[tasks.use]
command = "cat workflow:///make/y > z"
outputs = ["z"]
"""


_BIG = """
name = "big"

[tasks.make]
command = "truncate -s 40M big"
outputs = ["big"]
results_to = "s3://BUCKET/results"
"""


class Project:
    """A workflow over one bucket."""

    def __init__(self, folder: Path, text: str) -> None:
        self.folder = folder / "project"
        self.folder.mkdir()
        (self.folder / "longshore.toml").write_text(text)
        self.home = folder / "home"
        self.home.mkdir()

    def say(self, *words: str, code: int = 0) -> str:
        with self.begin(*words) as command:
            output, errors = command.communicate(timeout=SECONDS)
        assert command.returncode == code, output + errors
        assert "Traceback" not in errors
        return output + errors

    def begin(self, *words: str) -> subprocess.Popen[str]:
        env = {name: value for name, value in os.environ.items() if name.startswith(("AWS_", "PATH", "LANG"))}
        return subprocess.Popen(
            [sys.executable, "-m", "longshore_cli", *words],
            cwd=self.folder,
            env={**env, "HOME": str(self.home)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def project(tmp_path: Path, cloud: Any, bucket: str) -> Project:
    for number, name in enumerate("dacb", start=1):
        cloud.put_object(Bucket=bucket, Key=f"data/{name}.csv", Body=b"x" * number)
    cloud.put_object(Bucket=bucket, Key="other/x", Body=b"end\n")
    return Project(tmp_path, _OVER.replace("BUCKET", bucket))


def test_tasks_range_over_a_bucket_and_run_again_when_an_object_has_changed(
    project: Project, cloud: Any, bucket: str
) -> None:
    assert "has not been fetched yet" in project.say("plan")

    project.say("run")

    [sizes] = project.folder.glob("results/latest/all/sizes")
    assert sizes.read_text() == "2\n4\n3\nend\n"

    cloud.put_object(Bucket=bucket, Key="data/b.csv", Body=b"x" * 77)
    assert "4 tasks, 2 would run, 2 would not" in project.say("plan")
    project.say("run")
    [sizes] = project.folder.glob("results/latest/all/sizes")
    assert sizes.read_text() == "2\n77\n3\nend\n"


def test_one_object_that_is_gone_fails_its_own_task_alone(project: Project, cloud: Any, bucket: str) -> None:
    text = _OVER.replace("BUCKET", bucket).replace("other/x", "other/gone")
    (project.folder / "longshore.toml").write_text(text)

    said = project.say("run", code=1)

    assert f"s3://{bucket}/other/gone: there is no such object" in project.say("explain", "all", code=0) + said
    assert len(list(project.folder.glob(".longshore/runs/*"))) == 1


@pytest.mark.parametrize("words", [("run",), ("plan",)])
def test_a_bucket_that_is_not_there_is_a_mistake_with_its_place(project: Project, words: tuple[str, ...]) -> None:
    text = _OVER.replace("BUCKET", "no-such-bucket-at-all")
    (project.folder / "longshore.toml").write_text(text)

    said = project.say(*words, code=2)

    assert "there is no bucket s3://no-such-bucket-at-all" in said
    assert "for_each" in said


def test_a_kind_of_url_that_nobody_knows_is_said_before_anything_runs(project: Project) -> None:
    (project.folder / "longshore.toml").write_text(
        'name = "x"\n[tasks.a]\ncommand = "true"\ninputs = ["ftp://host/x"]\n'
    )

    assert "no store 'ftp'" in project.say("run", code=2)
    assert not list(project.folder.glob(".longshore/runs/*"))


def test_a_task_is_made_for_each_column_of_each_object(project: Project, cloud: Any, bucket: str) -> None:
    cloud.put_object(Bucket=bucket, Key="tables/a.csv", Body=b"time,Power.1,Power.2\n1,2,3\n")
    cloud.put_object(Bucket=bucket, Key="tables/b.csv", Body=b"time,Power.1\n1,4\n")
    (project.folder / "longshore.toml").write_text(
        _COLUMNS.replace("BUCKET", bucket),
    )

    project.say("run")

    [all_of] = project.folder.glob("results/latest/all/all")
    assert all_of.read_text() == "tables/a.csv Power.1\ntables/a.csv Power.2\ntables/b.csv Power.1\n"


def test_results_are_put_into_a_bucket_too(project: Project, cloud: Any, bucket: str) -> None:
    (project.folder / "longshore.toml").write_text(_OUT.replace("BUCKET", bucket))

    project.say("run")

    found = cloud.list_objects_v2(Bucket=bucket, Prefix="results/")["Contents"]
    assert [each["Key"] for each in found] == ["results/make/d/e/x", "results/make/y"]
    assert cloud.get_object(Bucket=bucket, Key="results/make/y")["Body"].read() == b"y\n"


def test_results_that_cannot_be_put_into_a_bucket_are_at_home_and_it_is_said(project: Project) -> None:
    (project.folder / "longshore.toml").write_text(_OUT.replace("BUCKET", "no-such-bucket-at-all"))

    said = project.say("run", code=1)

    assert "at home, but did not get to s3://no-such-bucket-at-all/results" in said
    assert "there is no bucket" in said
    [home] = project.folder.glob("results/latest/make/y")
    assert home.read_text() == "y\n"


_BAD = {
    "empty.csv": (b"", "is empty, or begins with an empty line, and has no header"),
    "numbers.csv": (b"1,2,3\n4,5,6\n", "has no column that matches 'Power.*'; it has 1, 2, 3"),
    "latin.csv": ("time,Lästung\n".encode("latin-1"), "is not utf-8 (byte 0xe4); say what it is"),
    "one-line.csv": (b"x" * (3 << 20), "has a first line of more than 1 MiB, which is no header"),
    "gone.csv": (None, "there is no such object"),
}


def test_each_object_without_columns_gives_one_record_that_says_why_and_the_others_go_on(
    project: Project, wire: Wire, cloud: Any, bucket: str
) -> None:
    for name, (content, _) in _BAD.items():
        cloud.put_object(Bucket=bucket, Key=f"tables/{name}", Body=b"Power\n" if content is None else content)
    cloud.put_object(Bucket=bucket, Key="tables/good.csv", Body=b"time,Power\n1,2\n")
    (project.folder / "longshore.toml").write_text(_COLUMNS.replace("BUCKET", bucket))

    def vanish(asked: Asked) -> None:
        if asked[1].endswith("gone.csv"):
            wire.before = lambda _asked: None
            cloud.delete_object(Bucket=bucket, Key="tables/gone.csv")

    wire.before = vanish
    wire.asked.clear()
    said = project.say("run", code=1)

    for name, (_, reason) in _BAD.items():
        assert sum(name in line and reason in line for line in said.splitlines() if "failed:" in line) == 1, said
    assert "one[file=tables%2Fgood.csv,column=Power] succeeded" in said
    sent = sum(1 for method, path, _ in wire.asked if method == "GET" and path.endswith("one-line.csv"))
    assert sent <= 3, "more than the beginning of it came"


def test_a_bucket_that_is_forbidden_is_said_once_with_a_remedy(project: Project, wire: Wire, bucket: str) -> None:
    wire.refuse = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"

    said = project.say("plan", code=2)

    assert said.count("access is denied") == 1
    assert "see that the account may read and list there" in said


def test_parts_of_results_that_did_not_get_there_are_given_up_when_the_run_has_ended(
    project: Project, wire: Wire, cloud: Any, bucket: str
) -> None:
    (project.folder / "longshore.toml").write_text(_BIG.replace("BUCKET", bucket))

    def refuse(asked: Asked) -> None:
        if asked[2].get("partNumber") == "2":
            raise ConnectionError

    wire.before = refuse

    said = project.say("run", code=1)

    assert "at home, but did not get to" in said
    assert begun(cloud, bucket) == []


def test_parts_of_results_are_kept_for_whoever_continues_a_run_but_not_for_ever(
    project: Project, wire: Wire, cloud: Any, bucket: str
) -> None:
    (project.folder / "longshore.toml").write_text(_BIG.replace("BUCKET", bucket))
    kill_while_it_sends(project, wire)
    cloud.create_multipart_upload(Bucket=bucket, Key="results/maker/theirs")

    project.say("clean")
    assert begun(cloud, bucket) == ["results/make/big", "results/maker/theirs"]

    [journal] = project.folder.glob(".longshore/runs/*/run.db")
    with closing(sqlite3.connect(journal)) as database, database:
        database.execute("UPDATE meta SET value = '2020-01-01T00:00:00+00:00' WHERE key = 'created'")
    project.say("clean")
    assert begun(cloud, bucket) == ["results/maker/theirs"]


def test_a_run_that_may_go_on_keeps_parts_that_another_one_would_give_up(
    project: Project, wire: Wire, cloud: Any, bucket: str
) -> None:
    text = _BIG.replace("BUCKET", bucket)
    (project.folder / "longshore.toml").write_text(text)
    kill_while_it_sends(project, wire)
    (project.folder / "longshore.toml").write_text(text.replace("40M", "1M"))

    project.say("run", "--new")

    assert begun(cloud, bucket) == ["results/make/big"]


def test_whoever_cleans_up_gives_up_parts_of_a_run_that_has_ended(project: Project, cloud: Any, bucket: str) -> None:
    (project.folder / "longshore.toml").write_text(_BIG.replace("BUCKET", bucket).replace("40M", "1M"))
    project.say("run")
    [run] = (project.folder / ".longshore" / "runs").iterdir()
    (project.folder / ".longshore" / "unclosed" / run.name).touch()  # as if its controller had been killed at the end
    cloud.create_multipart_upload(Bucket=bucket, Key="results/make/big")

    project.say("clean")

    assert begun(cloud, bucket) == []
    assert list((project.folder / ".longshore" / "unclosed").iterdir()) == []


def kill_while_it_sends(project: Project, wire: Wire) -> None:
    """Start a run, and kill its controller when one part of its result is there."""
    sending, killed = threading.Event(), threading.Event()

    def hold(asked: Asked) -> None:
        if asked[2].get("partNumber") == "2":
            sending.set()
            assert killed.wait(SECONDS)
            raise ConnectionError

    wire.before = hold
    with project.begin("run") as controller:
        assert sending.wait(SECONDS)
        controller.kill()
    wire.quiet()
    killed.set()
