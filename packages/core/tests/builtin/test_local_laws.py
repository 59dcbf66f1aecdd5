"""The laws of an executor, by their numbers, kept by this computer's own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from longshore.errors import FenceRefused, InputMissing, MachineUnreachable
from longshore.model.attempt import Item
from longshore.model.command import Argv, Shell
from longshore.model.events import AttemptEnded
from longshore.model.outcome import Cancelled, Exited, FailureClass, Lost
from longshore.remote.digest import digest_bytes, digest_file
from longshore.remote.processes import started_at
from longshore.remote.store import put_bytes
from longshore.remote.watch import exit_handle

from .bench import SECONDS, Bench, kill, wait_over

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


# --- E1


def test_e1_going_twice_executes_once(bench: Bench) -> None:
    counter = bench.project / "counter"
    identity = waiting(bench, "a", f"echo x >> {counter}")

    bench.session.go(identity)
    gate(bench).touch()
    bench.ended("a")
    bench.session.go(identity)

    assert bench.ended("a", 2).outcome == Exited(0)
    assert counter.read_text() == "x\n"


def test_e1_going_again_after_a_crash_of_the_supervisor_executes_once(bench: Bench) -> None:
    counter = bench.project / "counter"
    identity = bench.go("a", Shell(f"echo x >> {counter}"))
    bench.ended("a")

    bench.kill_supervisor()
    bench.session.go(identity)

    assert bench.ended("a", 2).outcome == Exited(0)
    assert counter.read_text() == "x\n"


# --- E2

CONTROLLER = """
import sys, threading
from pathlib import Path
from longshore.builtin.local import LocalConfig, LocalExecutor
from longshore.model.attempt import AttemptSpec
from longshore.model.command import Shell
from longshore.model.machine import Machine
from longshore.model.resources import Resources
from longshore.plugin.protocols import ExecutorContext

folder, gate = Path(sys.argv[1]), sys.argv[2]
context = ExecutorContext(
    run="r", run_folder=folder / "run", project_folder=folder / "project", store_folder=folder / "store"
)
machine = Machine(id="here", pool="here", resources=Resources(cpus=4.0))
started = threading.Event()
session = LocalExecutor(LocalConfig(), context).open(machine, fence=1, sink=lambda *events: started.set())
command = Shell("until test -e $GATE; do sleep 0.01; done; echo done; exit 5")
session.create(AttemptSpec(id="r/a/1", command=command, env={"GATE": gate}))
session.go("r/a/1")
started.wait(60)
print("started", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP, signal.SIGINT])
def test_e2_an_attempt_lives_on_when_its_controller_dies(bench: Bench, number: signal.Signals) -> None:
    folder = bench.project.parent
    command = [sys.executable, "-c", CONTROLLER, str(folder), str(gate(bench))]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    ) as controller:
        assert controller.stdout is not None
        assert controller.stdout.readline() == b"started\n"
        os.killpg(controller.pid, number)
        controller.wait(SECONDS)

    session = bench.open(fence=2)
    session.adopt(["r/a/1"])
    bench.started("a")
    gate(bench).touch()

    ended = bench.ended("a")
    assert (ended.outcome, ended.failure) == (Exited(5), FailureClass.USER_CODE)
    assert (bench.logs / "a.1.out").read_text() == "done\n"


# --- E3


def test_e3_adopt_tells_what_ended_and_what_never_started(bench: Bench) -> None:
    bench.execute("a", Shell("exit 7"))
    bench.session.close()

    bench.open(fence=2).adopt(["r/a/1", "r/b/1"])

    assert bench.ended("a", 2).outcome == Exited(7)
    never = bench.ended("b")
    assert (never.outcome, never.failure) == (Lost("never started"), FailureClass.MACHINE_LOST)


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


def test_e5_cancel_ends_daemons_too_and_says_cancelled_once(bench: Bench) -> None:
    pids = bench.project / "pids"
    identity = waiting(
        bench,
        "a",
        f"sleep 1000 & echo $! >> {pids}; setsid sh -c 'echo $$ >> {pids}; exec sleep 1000' &"
        f" (setsid sh -c 'echo $$ >> {pids}; exec sleep 1000' &)"
        f" ; until test $(wc -l < {pids}) = 3; do sleep 0.01; done",
    )
    daemons = [int(pid) for pid in pids.read_text().split()]

    bench.session.cancel(identity)
    bench.session.cancel(identity)

    assert bench.ended("a").outcome == Cancelled()
    assert [end.outcome for end in bench.ends_of("a")] == [Cancelled()]
    assert [pid for pid in daemons if alive(pid)] == []


def test_e5_cancel_ends_what_ignores_being_asked(bench: Bench) -> None:
    identity = waiting(bench, "a", "trap '' TERM", grace=timedelta(milliseconds=100))

    bench.session.cancel(identity)

    assert bench.ended("a").outcome == Cancelled()


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


def test_e5_cancelling_what_is_over_or_unknown_is_silent(bench: Bench) -> None:
    bench.execute("a", Argv(("true",)))

    bench.session.cancel("r/a/1")
    bench.session.cancel("r/nobody/1")

    assert len(bench.ends_of("a")) == 1
    assert [event for event in bench.told if getattr(event, "task", "") == "nobody"] == []


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


def test_e7_put_refuses_what_the_store_does_not_have(bench: Bench) -> None:
    item = Item(path="in.txt", sha256=digest_bytes(b"x"), size=1)

    with pytest.raises(InputMissing, match=r"in\.txt"):
        bench.go("a", Argv(("true",)), inputs=(item,))


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


def test_e7_get_brings_a_whole_file_or_none(bench: Bench, tmp_path: Path) -> None:
    identity = bench.go("a", Shell("seq 100000 > numbers; exit 1"))
    bench.ended("a")

    bench.session.get(identity, ["numbers"], tmp_path / "here")

    assert digest_file(str(tmp_path / "here" / "numbers"))[1] == 588895
    with pytest.raises(InputMissing, match="nothing"):
        bench.session.get(identity, ["nothing"], tmp_path / "here")
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["numbers"]


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
    bench.execute("a", Argv(("true",)))
    bench.kill_supervisor()
    bench.execute("b", Argv(("true",)))
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


# --- E10


def test_e10_a_lower_fence_is_refused(bench: Bench) -> None:
    bench.open(fence=5)
    bench.execute("a", Argv(("true",)))

    with pytest.raises(FenceRefused, match="fence is 5"):
        bench.open(fence=4)


def test_e10_a_lower_fence_is_refused_after_the_supervisor_has_gone(bench: Bench) -> None:
    bench.open(fence=5)
    bench.execute("a", Argv(("true",)))
    bench.session.close()

    with pytest.raises(FenceRefused):
        bench.open(fence=4)


def test_e10_a_higher_fence_takes_over_and_the_old_controller_is_told(bench: Bench) -> None:
    old = bench.open(fence=1)
    identity = waiting(bench, "a")

    bench.open(fence=2).adopt([identity])

    assert "taken this run over" in bench.gone().reason
    with pytest.raises(FenceRefused):
        old.go("r/a/1")
    gate(bench).touch()
    assert bench.ended("a").outcome == Exited(0)
    assert len(bench.ends_of("a")) == 1
