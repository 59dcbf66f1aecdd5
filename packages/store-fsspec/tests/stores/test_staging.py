"""Pools that keep what their machines write in a bucket: who sends what, and what is left of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from longshore import resume
from longshore.errors import ConfigError, InputMissing
from longshore.model.move_events import MoveFailed
from longshore.runtime.tidying import tidy

from .far import SECONDS, Rig
from .wire import Asked, Wire, signed

_PASS_ON = """
name = "pass-on"

[pools.one]
executor = "far"
folder = "WORLD"
host = "h1"
store = "STORE"

[pools.two]
executor = "far"
folder = "WORLD"
host = "h2"
store = "STORE"

[tasks.make]
command = "head -c 200000 /dev/urandom > made; mkdir -p d/e; cp made d/e/x; echo y > d/y"
outputs = ["made", "d/"]
pool = "one"

[tasks.use]
command = "cat workflow:///make/made | cmp - workflow:///make/d/e/x && cat workflow:///make/d/y > y"
outputs = ["y"]
pool = "two"
"""


def keys(cloud: Any, bucket: str) -> list[str]:
    return [each["Key"] for each in cloud.list_objects_v2(Bucket=bucket).get("Contents", ())]


def test_machines_bring_what_they_write_to_the_bucket_and_get_it_from_there(rig: Rig, cloud: Any, bucket: str) -> None:
    url = f"s3://{bucket}/stage"

    run = rig.play(_PASS_ON, url)

    assert run.state == "succeeded", "\n".join(map(str, rig.events(run)))
    assert (rig.project.results(run.id) / "use" / "y").read_text() == "y\n"
    ways = {(each.source, each.target, each.straight) for each in rig.moves(run)}
    assert {("h1", url, True), (url, "h2", True), ("h2", url, True), (url, "", False)} <= ways
    made = [each for event in rig.moves(run) for each in event.artifacts if each.path == "make/made"]
    assert made
    assert not Path(rig.project.store, "objects", made[0].sha256[:2], made[0].sha256).exists(), "it came by us"
    assert keys(cloud, bucket) == [], "something is left of the run"
    records = b"".join(path.read_bytes() for path in rig.project.home.rglob("*") if path.is_file())
    assert b"X-Amz-Signature" not in records
    assert b"X-Amz-Signature" not in b"".join(path.read_bytes() for path in rig.world.rglob("*") if path.is_file())


_FINAL = """
name = "final"

[pools.one]
executor = "far"
folder = "WORLD"
host = "h1"
store = "STORE"

[tasks.make]
command = "echo made > made"
outputs = ["made"]
pool = "one"

[tasks.wait]
command = "while ! test -e OPEN; do sleep 0.05; done; cat workflow:///make/made > waited"
outputs = ["waited"]
pool = "one"
"""


def test_what_is_in_the_bucket_can_be_fetched_with_a_controller_and_without(
    rig: Rig, cloud: Any, bucket: str, tmp_path: Path
) -> None:
    text = _FINAL.replace("OPEN", str(tmp_path / "open"))

    with rig.start(text, f"s3://{bucket}/stage") as run:
        assert run.wait(until=lambda run: run.task("wait").phase == "running", timeout=SECONDS) == "running"
        before = run.results.parent / "so-far"
        [path] = run.fetch(before, ["make"])
        assert path.read_text() == "made\n"
        run.detach()

    fetched = say(rig, "fetch", "make", "--now", "--to", str(tmp_path / "fetched"))
    assert "1 output" in fetched
    assert (tmp_path / "fetched" / "make" / "made").read_text() == "made\n"
    (tmp_path / "open").touch()
    again = resume(rig.project.folder)
    again.wait(timeout=SECONDS)
    assert again.state == "succeeded"
    assert keys(cloud, bucket) == []


def say(rig: Rig, *words: str) -> str:
    """Ask the command, without any plugin for the hosts."""
    command = [sys.executable, "-m", "longshore_cli", *words]
    done = subprocess.run(command, cwd=rig.project.folder, capture_output=True, check=False, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_bucket_that_is_not_there_is_said_before_anything_is_made(rig: Rig) -> None:
    with pytest.raises(InputMissing, match="there is no bucket s3://no-such-bucket-here"):
        rig.start(_PASS_ON, "s3://no-such-bucket-here/stage")

    assert not rig.project.runs.exists()


def test_a_web_server_keeps_nothing(rig: Rig) -> None:
    with pytest.raises(ConfigError, match=r"https://host/x cannot keep what machines write"):
        rig.start(_PASS_ON, "https://host/x")


def test_tasks_on_this_computer_need_no_bucket(rig: Rig) -> None:
    with pytest.raises(ConfigError, match="tasks on this computer have the project's own store"):
        rig.start('name = "w"\n[pools.local]\nstore = "s3://b/x"\n[tasks.a]\ncommand = "true"\n', "")


def test_a_bucket_that_grants_nothing_costs_no_result(rig: Rig, wire: Wire, cloud: Any, bucket: str) -> None:
    def before(asked: Asked) -> None:
        if signed(asked):
            raise ConnectionError

    wire.before = before

    run = rig.play(_PASS_ON, f"s3://{bucket}/stage")

    assert run.state == "succeeded"
    assert {(each.source, each.target) for each in rig.moves(run)} == {("h1", ""), ("h2", "")}
    assert keys(cloud, bucket) == []


def test_what_has_vanished_from_the_bucket_is_sent_again_or_made_again(
    rig: Rig, wire: Wire, cloud: Any, bucket: str
) -> None:
    vanished: list[str] = []

    def before(asked: Asked) -> None:
        if asked[0] == "GET" and signed(asked) and not vanished:
            vanished.append(asked[1])
            cloud.delete_object(Bucket=bucket, Key=asked[1].split("/", 2)[2])

    wire.before = before

    run = rig.play(_PASS_ON, f"s3://{bucket}/stage")

    assert vanished
    assert run.state == "succeeded"
    assert any(isinstance(event, MoveFailed) and event.lost for event in rig.events(run))


def test_what_a_killed_controller_has_left_is_removed_by_the_next_run(
    rig: Rig, cloud: Any, bucket: str, tmp_path: Path
) -> None:
    run = rig.play(_PASS_ON, f"s3://{bucket}/stage")
    cloud.put_object(Bucket=bucket, Key=f"stage/{run.id}/left", Body=b"x")
    cloud.put_object(Bucket=bucket, Key="stage/another", Body=b"x")

    rig.project.note_unclosed(run.id)
    assert tidy(rig.project, run.id) == ""

    assert keys(cloud, bucket) == ["stage/another"]


_EQUAL = """
name = "equal"

[pools.one]
executor = "far"
folder = "WORLD"
host = "h1"
store = "STORE"

[tasks.make]
command = "mkdir d; for each in $(seq 20); do echo same > d/$each; done; echo same > one"
outputs = ["d/", "one"]
pool = "one"
"""


def test_files_of_one_content_come_home_as_many_as_they_are(rig: Rig, bucket: str) -> None:
    run = rig.play(_EQUAL, f"s3://{bucket}/stage")

    assert run.state == "succeeded"
    assert not [event for event in rig.events(run) if isinstance(event, MoveFailed)]
    home = rig.project.results(run.id) / "make"
    assert {path.read_text() for path in home.rglob("*") if path.is_file()} == {"same\n"}
    assert len(list((home / "d").iterdir())) == 20
