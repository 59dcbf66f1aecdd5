"""The laws of an executor, kept by this computer's own; and what is special to it, by the laws' numbers."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from longshore.errors import MachineUnreachable
from longshore.model.attempt import Item
from longshore.model.command import Argv, Shell
from longshore.model.events import AttemptEnded
from longshore.model.outcome import Cancelled, Exited, FailureClass, Lost
from longshore.remote.digest import digest_bytes, digest_folder
from longshore.remote.processes import started_at
from longshore.remote.store import put_bytes, put_folder
from longshore.remote.watch import exit_handle
from longshore.testing import ExecutorContract

from .bench import Bench, kill, wait_over

WAIT = Shell("until test -e $GATE; do sleep 0.01; done")
"""Runs until the gate is there. What it polls for is a file, since that is what any command can wait for."""


def gate(bench: Bench) -> Path:
    return bench.project / "gate"


def waiting(bench: Bench, task: str, text: str = "", **fields: Any) -> str:
    """Start an attempt that runs until the gate opens; return when it runs."""
    command = Shell(f"{text}\n{WAIT.text}") if text else WAIT
    env = {"GATE": str(gate(bench))}
    identity = bench.go(task, command, env=env, **fields)
    bench.started(task)
    return identity


class TestLocal(ExecutorContract):
    """This computer; it has no link to cut and no identity to verify."""


# --- E7


def stored_folder(bench: Bench) -> Item:
    """Have a folder of many files in the store."""
    source = bench.project / "many"
    source.mkdir()
    for number in range(100):
        (source / str(number)).write_text(f"{number}\n")
    folder = digest_folder(str(source))
    put_folder(str(bench.store), str(source), folder)
    return Item(path="in/many", sha256=folder.sha256, size=folder.size, mode=0o755, kind="folder")


def test_e7_a_folder_that_many_attempts_read_is_copied_only_when_one_has_changed_it(bench: Bench) -> None:
    folder = stored_folder(bench)
    look = Shell("cat in/many/7; ls -i in/many/7")
    bench.execute("first", look, inputs=(folder,))

    bench.execute("second", look, inputs=(folder,))
    bench.execute("vandal", Shell("echo 8 > in/many/7"), inputs=(folder,))
    bench.execute("third", look, inputs=(folder,))

    assert bench.log("second") == bench.log("first")
    assert bench.log("third") != bench.log("first")
    assert bench.log("third").splitlines()[0] == "7"
    bench.session.discard([folder.sha256])
    bench.session.close()
    assert os.listdir(bench.folder / "work") == []


# --- E3


def test_e3_the_end_of_an_attempt_survives_a_crash_of_the_supervisor_until_it_is_released(bench: Bench) -> None:
    first = bench.execute("a", Shell("echo oops >&2; exit 7"))

    bench.kill_supervisor()
    bench.session.adopt(["r/a/1"])
    again = bench.ended("a", 2)
    assert again.evidence == first.evidence == "exit code 7\noops"
    assert again.ended_at == first.ended_at

    bench.session.release("r/a/1")
    bench.session.adopt(["r/a/1"])
    assert bench.ended("a", 3).outcome == Lost("never started")


def test_e3_an_attempt_that_runs_while_its_supervisor_dies_is_lost_once_it_is_over(bench: Bench) -> None:
    identity = waiting(bench, "a")
    bench.kill_supervisor()

    bench.session.adopt([identity])
    bench.started("a", 2)
    assert not [event for event in bench.settled() if isinstance(event, AttemptEnded) and event.task == "a"]
    gate(bench).touch()

    ended = bench.ended("a")
    assert isinstance(ended.outcome, Lost)
    assert ended.failure is FailureClass.MACHINE_LOST
    assert "supervisor was killed" in ended.evidence


def test_e3_an_attempt_whose_supervisor_died_can_still_be_cancelled(bench: Bench) -> None:
    identity = waiting(bench, "a")
    bench.kill_supervisor()

    bench.session.cancel(identity)

    assert bench.ended("a").outcome == Cancelled()


# --- E4


def test_e4_a_torn_last_line_of_the_record_is_no_outcome(bench: Bench) -> None:
    bench.execute("a", Shell("exit 7"))
    bench.session.close()
    record = bench.folder / "record"
    lines = record.read_bytes().splitlines(keepends=True)
    record.write_bytes(b"".join(lines[:-1]) + lines[-1][: len(lines[-1]) // 2])

    bench.open(fence=2).adopt(["r/a/1"])

    ended = bench.ended("a", 2)
    assert isinstance(ended.outcome, Lost)
    assert ended.outcome != Lost("never started")


# --- E5


def test_e5_cancel_ends_what_waits_for_room(bench: Bench) -> None:
    bench.open(cpus=1.0)
    waiting(bench, "a")
    second = bench.go("b", Argv(("true",)))

    bench.session.cancel(second)

    assert bench.ended("b").outcome == Cancelled()
    assert bench.ended("b").started_at is None


def test_e5_cancel_ends_nothing_of_another_run_with_the_same_ids(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Bench(tmp_path / "other")
    try:
        waiting(other, "a", "setsid sleep 1000 &")
        identity = waiting(bench, "a")

        bench.session.cancel(identity)
        bench.ended("a")
        gate(other).touch()

        assert other.ended("a").outcome == Exited(0)
    finally:
        other.close()


def alive(pid: int) -> bool:
    return started_at(pid) is not None


# --- E6


def test_e6_output_arrives_live_in_order_and_goes_on_after_a_reconnect(bench: Bench) -> None:
    identity = waiting(bench, "a", "echo one; echo two >&2; echo three")
    assert (bench.logs / "a.1.out").read_text() == "one\nthree\n"
    assert (bench.logs / "a.1.err").read_text() == "two\n"
    with (bench.logs / "a.1.out").open() as follower:
        follower.read()
        bench.session.close()

        bench.open(fence=2).adopt([identity])
        bench.go("b", Shell("true"))
        bench.ended("b")
        gate(bench).touch()
        bench.ended("a")

        assert follower.read() == ""
    assert (bench.logs / "a.1.out").read_text() == "one\nthree\n"


def test_e6_logs_that_are_empty_are_no_files(bench: Bench) -> None:
    waiting(bench, "long")
    gate(bench).touch()
    bench.ended("long")
    bench.execute("short", Argv(("true",)))
    bench.execute("loud", Shell("echo x"))

    assert sorted(path.name for path in bench.logs.iterdir() if not path.name.startswith(".")) == ["loud.1.out"]


# --- E7


def test_e7_a_damaged_object_is_noticed_before_the_command_starts(bench: Bench) -> None:
    sha256 = digest_bytes(b"hello")
    put_bytes(str(bench.store), b"hello", sha256)
    stored = bench.store / "objects" / sha256[:2] / sha256
    stored.chmod(0o644)
    stored.write_bytes(b"hell")

    ended = bench.execute("a", Argv(("true",)), inputs=(Item(path="in.txt", sha256=sha256, size=5),))

    assert isinstance(ended.outcome, Lost)
    assert ended.failure is FailureClass.STAGING
    assert "4 bytes instead of 5" in ended.evidence
    assert ended.started_at is None


# --- E9


def test_e9_the_death_of_a_supervisor_is_not_noticed_by_who_waits_for_room(bench: Bench) -> None:
    bench.open(cpus=1.0)
    waiting(bench, "a")
    for number in range(20):
        bench.go(f"b{number}", Argv(("true",)))

    bench.kill_supervisor()
    gate(bench).touch()

    assert [bench.ended(f"b{number}").outcome for number in range(20)] == [Exited(0)] * 20
    assert isinstance(bench.ended("a").outcome, Lost)


def test_e9_a_supervisor_that_was_killed_leaves_nothing_spare(bench: Bench) -> None:
    bench.execute("a", Argv(("true",)), inputs=(stored_folder(bench),))
    bench.execute("b", Argv(("true",)))
    assert os.listdir(bench.folder / "work")
    bench.kill_supervisor()
    bench.execute("c", Argv(("true",)))
    bench.session.close()

    assert os.listdir(bench.folder / "work") == os.listdir(bench.logs) == []


def test_e9_nothing_is_lost_while_processes_of_it_live(bench: Bench) -> None:
    identity = waiting(bench, "a")
    child = next(line["pid"] for line in bench.records() if line["event"] == "pid" and line["id"] == identity)
    bench.kill_supervisor()
    bench.session.adopt([identity])
    bench.started("a", 2)

    kill(child)

    ended = bench.ended("a")
    assert isinstance(ended.outcome, Lost)
    assert not alive(child)


def test_e9_a_machine_whose_supervisors_die_again_and_again_is_given_up(bench: Bench) -> None:
    bench.execute("a", Argv(("true",)))
    record = bench.folder / "record"
    record.rename(record.with_suffix(".old"))
    record.mkdir()
    kill(next(json.loads(line)["pid"] for line in record.with_suffix(".old").read_text().splitlines()))

    gone = bench.gone()
    assert "died 5 times" in gone.reason
    assert "IsADirectoryError" in gone.reason
    with pytest.raises(MachineUnreachable, match="died 5 times"):
        bench.session.go("r/a/1")
    record.rmdir()
    record.with_suffix(".old").rename(record)


def test_e9_attempts_that_nobody_attends_to_are_ended(bench: Bench) -> None:
    identity = waiting(bench, "a")
    supervisor = bench.supervisor()
    handle = exit_handle(supervisor)
    bench.session.beat(until=in_the_past())
    bench.session.close()
    wait_over(handle)

    bench.open(fence=2, unattended=timedelta(hours=1)).adopt([identity])

    ended = bench.ended("a")
    assert isinstance(ended.outcome, Lost)
    assert "no controller had attended" in ended.evidence


def in_the_past() -> datetime:
    return datetime.now(UTC) - timedelta(seconds=1)
