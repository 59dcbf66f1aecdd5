"""Objects that tasks on other machines read: the machines get them from the bucket, and not by way of us."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from typing import Any

import pytest

from longshore import Run, load, resume
from longshore.model.events import AttemptEnded, TasksIdentified
from longshore.remote.digest import digest_bytes
from longshore.remote.store import has_object
from longshore.runtime.planning import plan

from .far import SECONDS, Rig
from .wire import Asked, Wire, signed

_READ = """
name = "direct"

[pools.one]
executor = "far"
folder = "WORLD"
host = "h1"
python = PYTHON

[tasks.first]
command = "cat data/* > first; echo first >> COUNT"
inputs = ["s3://BUCKET/data/a", "s3://BUCKET/data/b"]
outputs = ["first"]
pool = "one"

[tasks.second]
command = "wc -c < data/a > second; echo second >> COUNT"
inputs = ["s3://BUCKET/data/a"]
outputs = ["second"]
pool = "one"
"""

_TWO = """
[pools.two]
executor = "far"
folder = "WORLD"
host = "h2"
python = PYTHON

[tasks.other]
command = "wc -c < data/a > other"
inputs = ["s3://BUCKET/data/a"]
outputs = ["other"]
pool = "two"
"""

_MORE = """
[tasks.third]
command = "cat data/b data/b > third"
inputs = ["s3://BUCKET/data/b"]
outputs = ["third"]
pool = "one"

[tasks.fourth]
command = "cat data/c data/c > fourth"
inputs = ["s3://BUCKET/data/c"]
outputs = ["fourth"]
pool = "one"
"""

_HERE = """
[tasks.here]
command = "wc -c < data/a > here"
inputs = ["s3://BUCKET/data/a"]
outputs = ["here"]
pool = "local"
"""


class Case:
    """A workflow over two objects, and what became of it."""

    def __init__(self, rig: Rig, wire: Wire, cloud: Any, bucket: str) -> None:
        self.rig = rig
        self.wire = wire
        self.cloud = cloud
        self.bucket = bucket
        self.counted = rig.world / "counted"
        self.contents = {"a": os.urandom(70_000), "b": os.urandom(10)}
        for name, content in self.contents.items():
            self.fill(name, content)

    def fill(self, name: str, content: bytes) -> None:
        self.cloud.put_object(Bucket=self.bucket, Key=f"data/{name}", Body=content)

    def text(self, more: str = "") -> str:
        return (_READ + more).replace("BUCKET", self.bucket).replace("COUNT", str(self.counted))

    def play(self, more: str = "") -> Run:
        self.wire.asked.clear()
        run = self.rig.play(self.text(more), "")
        assert run.state == "succeeded", "\n".join(map(str, self.rig.events(run)))
        return run

    def result(self, run: Run, task: str) -> bytes:
        return (self.rig.project.results(run.id) / task / task).read_bytes()

    def here(self, name: str) -> bool:
        return has_object(str(self.rig.project.store), digest_bytes(self.contents[name]))

    def drawn(self) -> list[str]:
        """List what was read by those who have no rights of their own."""
        return sorted(path.rpartition("/")[2] for _, path, _ in filter(signed, self.wire.asked))

    def failures(self, run: Run) -> list[str]:
        return [each.evidence for each in self.rig.events(run) if isinstance(each, AttemptEnded) and each.failure]

    def first_failure(self, more: str = "") -> str:
        """Give what is said of the first attempt that fails; the run need not go on then."""
        with self.rig.start(self.text(more), "") as run:
            run.wait(until=lambda run: bool(self.failures(run)), timeout=SECONDS)
            run.cancel()
            run.wait(timeout=SECONDS)
        return self.failures(run)[0]

    def executed(self) -> list[str]:
        return sorted(self.counted.read_text().split())


@pytest.fixture
def case(rig: Rig, wire: Wire, cloud: Any, bucket: str) -> Case:
    return Case(rig, wire, cloud, bucket)


@pytest.mark.parametrize("python", [True, False], ids=["python", "shim"])
def test_machines_read_objects_once_themselves_and_a_run_that_is_up_to_date_reads_none(case: Case) -> None:
    run = case.play()

    assert case.result(run, "first") == case.contents["a"] + case.contents["b"]
    assert case.result(run, "second").strip() == b"70000"
    assert case.drawn() == ["a", "b"], "what many tasks read comes once"
    assert not case.here("b")
    assert ("to", digest_bytes(case.contents["a"])) not in case.rig.hosts["h1"].travelled()
    straight = [event for event in case.rig.moves(run) if event.straight]
    assert {(each.source, each.target) for each in straight} == {(f"s3://{case.bucket}", "h1")}
    assert sorted(one.path for each in straight for one in each.artifacts) == [
        f"s3://{case.bucket}/data/{name}" for name in ("a", "b")
    ]

    again = case.play()

    assert case.drawn() == []
    assert case.executed() == ["first", "second"]
    assert {again.task(name).phase for name in ("first", "second")} == {"up to date"}
    loaded = load(case.rig.project.folder / "longshore.toml")
    assert not any(each.runs for each in plan(loaded.spec, loaded.folder))


def test_what_was_read_is_told_by_its_digest_and_no_key_is_written_down(case: Case) -> None:
    run = case.play()

    identified = [event for event in case.rig.events(run) if isinstance(event, TasksIdentified)]
    [last] = [item for event in identified for item in event.items if item.task == "second"][-1].inputs
    assert (last.sha256, last.size) == (digest_bytes(case.contents["a"]), 70_000)
    records = [path for folder in (case.rig.project.home, case.rig.world) for path in folder.rglob("*")]
    assert b"X-Amz-Signature" not in b"".join(path.read_bytes() for path in records if path.is_file())


def test_what_was_read_before_another_machine_gets_by_its_digest(case: Case) -> None:
    case.play()

    run = case.play(_TWO)

    assert case.result(run, "other").strip() == b"70000"
    assert case.drawn() == ["a"]
    assert not case.here("a")


def test_an_object_that_was_written_anew_with_the_same_content_makes_nothing_run_again(case: Case) -> None:
    case.play()
    key = {"Bucket": case.bucket, "Key": "data/a"}
    upload = case.cloud.create_multipart_upload(**key)["UploadId"]
    part = case.cloud.upload_part(**key, UploadId=upload, PartNumber=1, Body=case.contents["a"])
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    case.cloud.complete_multipart_upload(**key, UploadId=upload, MultipartUpload=parts)

    run = case.play()

    assert case.executed() == ["first", "second"]
    assert {run.task(name).phase for name in ("first", "second")} == {"up to date"}
    assert case.drawn() == ["a"]


def test_an_object_that_has_changed_makes_run_again_what_reads_it(case: Case) -> None:
    case.play()
    case.fill("b", b"other")

    run = case.play()

    assert case.result(run, "first") == case.contents["a"] + b"other"
    assert case.executed() == ["first", "first", "second"]


def test_what_two_machines_read_is_one_content(case: Case) -> None:
    run = case.play(_TWO)

    assert case.result(run, "other").strip() == b"70000"
    assert not case.here("a")
    targets = {each.target for each in case.rig.moves(run) if each.straight}
    assert targets == {"h1", "h2"}


def test_what_a_task_on_this_computer_reads_is_here(case: Case) -> None:
    run = case.play(_HERE)

    assert case.result(run, "here").strip() == b"70000"
    assert case.here("a")
    assert case.result(run, "second").strip() == b"70000"


def test_what_a_machine_does_not_get_comes_by_way_of_us(case: Case, caplog: pytest.LogCaptureFixture) -> None:
    case.wire.grants = False
    case.fill("c", b"c")

    with caplog.at_level(logging.INFO, logger="longshore"):
        run = case.play(_MORE)

    assert case.result(run, "first") == case.contents["a"] + case.contents["b"]
    assert case.result(run, "fourth") == b"cc"
    assert case.here("a")
    assert case.here("b")
    assert f"what is in s3://{case.bucket} comes here instead of going to h1" in caplog.text
    assert len(case.drawn()) <= 2, "a machine that does not get there was asked again"


def test_an_object_that_vanishes_before_it_is_read_is_named(case: Case) -> None:
    def before(asked: Asked) -> None:
        if signed(asked):
            case.cloud.delete_object(Bucket=case.bucket, Key="data/a")

    case.wire.before = before

    assert case.first_failure() == f"s3://{case.bucket}/data/a was there a moment ago, and is gone"


def test_an_object_that_changes_while_it_is_read_is_named_and_not_taken_for_what_it_was(case: Case) -> None:
    changed: list[str] = []

    def before(asked: Asked) -> None:
        if signed(asked) and asked[1].endswith("/a") and not changed:
            changed.append(asked[1])
            case.fill("a", b"another")

    case.wire.before = before

    run = case.play()

    assert any(
        f"s3://{case.bucket}/data/a has changed since the run looked at it" in each for each in case.failures(run)
    )
    assert case.result(run, "second").strip() == b"7"
    assert case.play().task("second").phase == "up to date"


def test_a_known_object_that_changes_before_it_comes_is_named(case: Case) -> None:
    case.play()

    def before(asked: Asked) -> None:
        if signed(asked):
            case.fill("a", b"x" * 70_000)

    case.wire.before = before

    words = f"s3://{case.bucket}/data/a has changed since the run looked at it; run it again to use the new content"
    assert case.first_failure(_TWO) == words


def test_a_controller_that_is_killed_while_a_machine_reads_is_followed_by_one_that_goes_on(case: Case) -> None:
    case.rig.write(case.text(), "")
    controller: list[subprocess.Popen[bytes]] = []

    def before(asked: Asked) -> None:
        if signed(asked) and controller[0].poll() is None:
            controller[0].send_signal(signal.SIGKILL)
            controller[0].wait()

    case.wire.before = before
    controller.append(_begin(case.rig, "run"))
    assert controller[0].wait(SECONDS) == -signal.SIGKILL
    case.wire.quiet()

    with _begin(case.rig, "resume") as resumed:
        assert resumed.wait(SECONDS) == 0
    case.rig.runs += [path.name for path in case.rig.project.runs.iterdir() if path.is_dir() and not path.is_symlink()]

    assert case.executed() == ["first", "second"]
    assert not case.here("b")


def test_a_task_that_is_cancelled_while_its_machine_reads_never_starts(case: Case) -> None:
    asked, cancelled = threading.Event(), threading.Event()

    def before(each: Asked) -> None:
        if signed(each):
            asked.set()
            cancelled.wait(SECONDS)

    case.wire.before = before

    with case.rig.start(case.text(), "") as run:
        assert asked.wait(SECONDS)
        run.cancel()
        run.wait(until=lambda run: run.task("second").phase == "cancelled", timeout=SECONDS)
        cancelled.set()
        run.wait(timeout=SECONDS)

    assert run.state == "cancelled"
    assert not case.counted.exists()


def test_who_takes_a_run_over_listens_while_a_bucket_does_not_answer(case: Case) -> None:
    asked, looked, answered = threading.Event(), threading.Event(), threading.Event()

    def before(each: Asked) -> None:
        if signed(each) or asked.is_set():
            (asked if signed(each) else looked).set()
            answered.wait(SECONDS)

    case.wire.before = before
    with case.rig.start(case.text(), "") as run:
        assert asked.wait(SECONDS)
        run.detach()

    with resume(case.rig.project.folder) as again:
        assert looked.wait(SECONDS)
        again.cancel()
        again.wait(until=lambda run: run.task("first").phase == "cancelled", timeout=SECONDS)
        assert again.task("first").phase == "cancelled", "it does not listen"
        answered.set()
        again.wait(timeout=SECONDS)

    assert again.state == "cancelled"


def _begin(rig: Rig, *words: str) -> subprocess.Popen[bytes]:
    env = {**os.environ, "PYTHONPATH": str(rig.world.parent / "plugins")}
    return subprocess.Popen([sys.executable, "-m", "longshore_cli", *words], cwd=rig.project.folder, env=env)
