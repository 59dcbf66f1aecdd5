"""What becomes of attempts when parts of the shim are killed, nobody attends, or the machine is started anew."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from longshore.errors import MachineUnreachable
from longshore.model.command import Argv, Call
from longshore.model.outcome import Exited, FailureClass, Lost
from longshore.remote.watch import exit_handle
from longshore.testing.fake_computer import wait_over

from .bench import SHELLS, Bench, Shell


@pytest.fixture(params=SHELLS, ids=lambda shell: str(shell.name))
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """A run on such a computer; what it takes for the boot is a file."""
    (tmp_path / "boot").write_text("first\n")
    bench = Bench(tmp_path, request.param, {"LONGSHORE_BOOT_FILE": str(tmp_path / "boot")})
    yield bench
    bench.close()


def kill(pid: int) -> None:
    with exit_handle(pid) as handle:
        os.kill(pid, signal.SIGKILL)
        wait_over(handle)


def keeper(bench: Bench, name: str) -> int:
    return int((bench.there / "record" / name).read_text().split()[2])


def test_an_attempt_whose_keeper_was_killed_is_lost_when_nothing_of_it_is_left(bench: Bench) -> None:
    identity = bench.waiting("a", f"echo $$ > {bench.scratch}/pid")
    kill(keeper(bench, "a.1"))

    bench.session.adopt([identity])

    ended = bench.ended("a")
    assert isinstance(ended.outcome, Lost)
    assert ended.failure is FailureClass.MACHINE_LOST
    # What is over may wait for a slow init to take note of it.
    living = f"pid=$(cat {bench.scratch}/pid); kill -0 $pid && ! grep -q '^State:.Z' /proc/$pid/status"
    assert bench.output(f"{{ {living}; }} 2>/dev/null && echo alive; true") == ""


def test_what_ran_when_the_machine_was_started_anew_is_lost(bench: Bench) -> None:
    identity = bench.waiting("a")
    leader = int(bench.computer.folder.joinpath("runs", "r", "record", "a.1").read_text().split()[2])
    bench.session.close()
    bench.computer.crash("r")
    kill(leader)
    (bench.base / "boot").write_text("second\n")

    bench.open(fence=2).adopt([identity])

    assert bench.ended("a").outcome == Lost("the computer was started anew while it ran")
    bench.open_gate()


def test_what_nobody_attends_is_ended_also_when_the_server_was_killed(bench: Bench) -> None:
    bench.open(unattended=timedelta(seconds=2))
    identity = bench.waiting("a", "trap 'echo asked; exit 1' TERM")
    keeping = keeper(bench, "a.1")
    with exit_handle(keeping) as handle:
        bench.session.close()
        bench.computer.crash("r")
        wait_over(handle)

    bench.open(fence=2).adopt([identity])

    assert bench.ended("a").outcome == Lost("ended because no controller had attended to it for 2 seconds")


def test_output_that_nobody_took_for_a_while_comes_whole(bench: Bench) -> None:
    identity = bench.waiting("a", "head -c 9000000 /dev/zero | tr '\\0' x; echo end >&2")
    bench.log_becomes("end\n", "a", "err")
    bench.session.close()

    bench.open(fence=2).adopt([identity])
    bench.open_gate()

    assert bench.ended("a").outcome == Exited(0)
    assert bench.log("a") == "x" * 9_000_000


def test_a_python_call_is_refused_in_words(bench: Bench) -> None:
    ended = bench.execute("a", Call(function="model:fit", arguments="{}"))

    assert ended.failure is FailureClass.ENVIRONMENT
    assert "python3" in ended.evidence


def test_what_the_machine_lacks_is_named(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    dash = Shell("dash", (shutil.which("dash") or "dash",))
    bench = Bench(tmp_path, dash, {"PATH": str(tmp_path / "bin")})

    with pytest.raises(MachineUnreachable, match=r"lacks base64 cat .* setsid .* tar"):
        bench.open()


def test_a_command_that_is_not_there_says_so(bench: Bench) -> None:
    ended = bench.execute("a", Argv(("no-such-program",)))

    assert ended.outcome == Exited(127)
    assert "no-such-program" in ended.evidence
