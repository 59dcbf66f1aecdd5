from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import processes
from measure import Invocation, NotMeasured, execute, variables


@pytest.fixture(autouse=True)
def _orphans_are_ours() -> Iterator[None]:
    processes.adopt_orphans()
    yield
    processes.end_descendants()


def shell(text: str, folder: Path, timeout_seconds: float = 30) -> Invocation:
    return Invocation(argv=("sh", "-c", text), folder=folder, env=variables(), timeout_seconds=timeout_seconds)


def test_the_wall_time_covers_the_whole_command(tmp_path: Path) -> None:
    assert execute(shell("sleep 0.3", tmp_path)).wall_seconds >= 0.3


def test_the_peak_is_that_of_the_largest_child(tmp_path: Path) -> None:
    command = f"{sys.executable} -c 'data = bytearray(200_000_000)'"
    assert 200e6 < execute(shell(command, tmp_path)).peak_bytes < 400e6


def test_a_sampled_peak_counts_detached_processes_together(tmp_path: Path) -> None:
    hog = f"{sys.executable} -c 'import time; data = bytearray(100_000_000); time.sleep(1)'"
    command = shell(f"setsid {hog} & setsid {hog}", tmp_path)
    assert execute(command, sample_tree=True).peak_bytes > 200e6


def test_a_command_that_fails_has_no_figure_but_a_reason(tmp_path: Path) -> None:
    with pytest.raises(NotMeasured, match=r"^sh ended with 3: no such file$"):
        execute(shell("echo no such file >&2; exit 3", tmp_path))


def test_a_command_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with pytest.raises(NotMeasured, match="took more than 0 s"):
        execute(shell("sleep 60", tmp_path, timeout_seconds=0.2))
    assert processes.descendants() == []


def test_what_a_command_leaves_behind_is_ended(tmp_path: Path) -> None:
    execute(shell("setsid sleep 60 & echo $! > pid", tmp_path))
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_grandchildren_are_seen_with_their_processor_time() -> None:
    burn = "import time\nwhile time.process_time() < 0.2: pass\nprint('burnt', flush=True)\ntime.sleep(60)"
    command = ["sh", "-c", f'{sys.executable} -c "{burn}"; :']
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"burnt\n"
        cpu = {process.pid: process.cpu_seconds for process in processes.descendants()}
        processes.end_descendants()
    assert child.pid in cpu
    assert max(cpu.values()) >= 0.15


def test_a_virtual_environment_of_ours_is_not_handed_on() -> None:
    assert {"VIRTUAL_ENV", "PYTHONPATH"}.isdisjoint(variables())
    assert variables(PYTHONPATH="there")["PYTHONPATH"] == "there"
