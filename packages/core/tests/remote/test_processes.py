"""Processes, found and watched; times; threads."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from longshore.remote.attempt import Attempt
from longshore.remote.computer import gpu_names, memory_bytes, usable_cpus
from longshore.remote.processes import MARKER, Programs, boot_seconds, find_members, spawn, started_at
from longshore.remote.room import Room

SECONDS = 120.0

WATCHER = """
import os, sys
from longshore.remote.helpers import Helpers
from longshore.remote.watch import Watch

said = []
ended = []
def reap():
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        ended.append(os.WEXITSTATUS(status))
watch = Watch(reap)
helpers = Helpers(watch)
"""


def watched(program: str) -> str:
    """Give what a program says that has a watch of its own."""
    command = [sys.executable, "-c", WATCHER + program]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=SECONDS).stdout


def test_timers_ring_in_their_order_and_not_when_cancelled() -> None:
    program = """
for delay in (0.03, 0.01, 0.02, 0.01):
    watch.after(delay, lambda delay=delay: said.append(delay))
watch.after(0.015, lambda: said.append("cancelled")).cancel()
while len(said) < 4:
    watch.turn()
print(said)
"""
    assert watched(program) == "[0.01, 0.01, 0.02, 0.03]\n"


def test_timers_that_are_cancelled_take_no_room() -> None:
    program = """
for number in range(100000):
    watch.after(3600, said.clear).cancel()
print(len(watch._timers) < 5000)
"""
    assert watched(program) == "True\n"


def test_the_ends_of_children_are_told_all_of_them() -> None:
    program = """
for code in range(50):
    if not os.fork():
        os._exit(code)
while len(ended) < 50:
    watch.turn()
print(sorted(ended) == list(range(50)))
"""
    assert watched(program) == "True\n"


def test_the_end_of_a_process_that_is_not_a_child_is_told(tmp_path: Path) -> None:
    stranger = subprocess.Popen(["sleep", "1000"])
    program = f"""
watch.when_over({stranger.pid}, lambda: said.append("over"))
watch.when_over(2 ** 22 + 1, lambda: said.append("never was"))
watch.turn()
os.kill({stranger.pid}, 9)
while len(said) < 2:
    watch.turn()
print(said)
"""
    assert watched(program) == "['never was', 'over']\n"
    assert stranger.wait(SECONDS) == -9


def test_jobs_are_done_in_threads_and_their_failures_are_told() -> None:
    program = """
import threading
here = threading.get_ident()
gate = threading.Barrier(3)
helpers.do(lambda: 1 / 0, lambda result, error: said.append(type(error).__name__))
while not said:
    watch.turn()
for _ in range(3):
    helpers.do(lambda: gate.wait() is None or threading.get_ident() != here, lambda result, error: said.append(result))
while len(said) < 4:
    watch.turn()
print(said)
"""
    assert watched(program) == "['ZeroDivisionError', True, True, True]\n"


def test_waiting_costs_no_time_of_the_processor() -> None:
    program = """
import time
watch.after(0.5, lambda: said.append(1))
before = time.process_time()
turns = 0
while not said:
    watch.turn()
    turns += 1
print(turns)
"""
    assert watched(program) == "1\n"


# --- programs


def test_programs_are_found_on_the_search_path_in_its_order(tmp_path: Path) -> None:
    for name, mode in (("one", 0o644), ("two", 0o755), ("three", 0o755)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "program").touch(mode=mode)
    search = f"{tmp_path}/none:{tmp_path}/one:{tmp_path}/two:{tmp_path}/three"

    programs = Programs()

    assert programs.find("program", search) == f"{tmp_path}/two/program"
    assert programs.find("./program", search) == "./program"
    with pytest.raises(PermissionError):
        programs.find("program", f"{tmp_path}/one")
    with pytest.raises(FileNotFoundError):
        programs.find("program", f"{tmp_path}/none")


def test_members_are_found_by_session_by_marker_and_by_descent() -> None:
    text = (
        f"sleep 1000 & echo $!; {MARKER}=x setsid sleep 1000 & echo $!;"
        " env -i /bin/sh -c 'setsid sleep 1000 & echo $!; wait' & echo done; wait"
    )
    read, write = os.pipe()
    null = os.open(os.devnull, os.O_RDWR)
    leader = spawn("/bin/sh", ["sh", "-c", text], {"PATH": os.defpath}, (null, write, null))
    stranger = subprocess.Popen(["sleep", "1000"])
    os.close(write)
    with open(read) as output:
        lines = [output.readline().strip() for _ in range(4)]
    printed = {int(line) for line in lines if line != "done"}
    try:
        by_leader = find_members({"x": leader})["x"]
        by_marker = find_members({"x": 0})["x"]

        assert printed | {leader} <= by_leader
        assert len(by_marker) == 1
        assert by_marker < printed
        assert stranger.pid not in by_leader
        assert find_members({"y": 0}) == {"y": set()}
    finally:
        for pid in {*printed, leader}:
            os.kill(pid, signal.SIGKILL)
        stranger.kill()
        stranger.wait(SECONDS)
        os.waitpid(leader, 0)
        os.close(null)


def test_a_process_is_told_from_a_later_one_by_when_it_was_started() -> None:
    before = boot_seconds()
    process = subprocess.Popen(["sleep", "1000"])
    start = started_at(process.pid)
    process.kill()
    process.wait(SECONDS)

    assert start is not None
    assert before - 0.02 <= start <= boot_seconds()
    assert started_at(process.pid) is None


# --- room


def attempt(name: str, **needs: float) -> Attempt:
    return Attempt({"id": f"r/{name}/1", **needs}, "here")


def test_fractions_of_cpus_add_up() -> None:
    room = Room()
    room.set(1.0, 0, [], None)
    tenths = [attempt(str(n), cpus=0.1) for n in range(11)]

    assert [room.take(tenth) for tenth in tenths] == [True] * 10 + [False]
    room.give_back(tenths[0])
    assert room.take(tenths[10])


def test_gpus_are_given_by_name_and_come_back() -> None:
    room = Room()
    room.set(8.0, 0, ["0", "1", "2"], None)
    two, one, more = attempt("a", gpus=2), attempt("b", gpus=1), attempt("c", gpus=1)

    assert room.take(two)
    assert room.take(one)
    assert not room.take(more)
    room.give_back(two)
    assert room.take(more)
    assert (two.gpu_names, one.gpu_names, more.gpu_names) == (["0", "1"], ["2"], ["0"])


def test_less_room_than_is_taken_starts_nothing_new() -> None:
    room = Room()
    room.set(4.0, 0, [], None)
    first = attempt("a", cpus=3.0)
    room.take(first)

    room.set(2.0, 0, [], None)

    assert not room.take(attempt("b", cpus=0.5))
    room.give_back(first)
    assert room.take(attempt("c", cpus=2.0))


# --- the computer


def test_what_the_computer_has_is_within_reason() -> None:
    assert 0 < usable_cpus() <= (os.cpu_count() or 1)
    assert 1 << 20 < memory_bytes() < 1 << 50


@pytest.mark.parametrize(
    ("visible", "names"), [("", []), ("-1", []), ("0,2", ["0", "2"]), ("GPU-1a, GPU-2b", ["GPU-1a", "GPU-2b"])]
)
def test_gpus_are_those_that_we_may_see(monkeypatch: pytest.MonkeyPatch, visible: str, names: list[str]) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    assert gpu_names() == names
