"""One controller for each run, and a fence that only rises."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from longshore.errors import JournalError, RunLocked
from longshore.runtime.lock import acquire, holder, is_held
from longshore.runtime.processes import ProcessMark, boot_id, is_alive, start_of, this_process

SECONDS = 120.0

HOLD = """
import sys
from pathlib import Path
from longshore.runtime.lock import acquire
lock = acquire(Path(sys.argv[1]))
print(lock.fence, flush=True)
sys.stdin.read()
"""


def held_by_another(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert int(process.stdout.readline()) > 0
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate(timeout=SECONDS)


def test_a_second_controller_is_refused_and_told_who_has_the_run(tmp_path: Path) -> None:
    other = held_by_another(tmp_path)
    try:
        with pytest.raises(RunLocked, match=rf"process {other.pid} on .+ since \d{{4}}-"):
            acquire(tmp_path)
        assert is_held(tmp_path)
    finally:
        end(other)


def test_the_lock_holds_within_one_process_too(tmp_path: Path) -> None:
    with acquire(tmp_path), pytest.raises(RunLocked, match=f"process {os.getpid()} "):
        acquire(tmp_path)


def test_a_dead_holder_is_replaced_at_once(tmp_path: Path) -> None:
    end(held_by_another(tmp_path))

    assert not is_held(tmp_path)
    with acquire(tmp_path) as lock:
        assert lock.fence == 2


def test_the_fence_rises_with_every_holder(tmp_path: Path) -> None:
    fences = []
    for _ in range(3):
        with acquire(tmp_path) as lock:
            fences.append(lock.fence)

    assert fences == [1, 2, 3]


def test_the_fence_exceeds_the_journals_even_when_the_file_was_lost(tmp_path: Path) -> None:
    acquire(tmp_path).release()
    (tmp_path / "controller").write_bytes(b"\0" * 512)

    with acquire(tmp_path, above=7) as lock:
        assert lock.fence == 8


def test_release_gives_the_run_back_and_can_be_repeated(tmp_path: Path) -> None:
    lock = acquire(tmp_path)
    lock.release()
    lock.release()

    assert not is_held(tmp_path)
    assert acquire(tmp_path).fence == 2


def test_looking_whether_a_run_is_held_never_takes_it(tmp_path: Path) -> None:
    assert not is_held(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_last_holder_is_known_afterwards(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    acquire(tmp_path).release()

    last = holder(tmp_path)

    assert last is not None
    assert last.process == this_process()
    assert last.fence == 1


def test_a_run_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="controller cannot be opened"):
        acquire(tmp_path / "nowhere")


def test_a_process_is_alive_until_it_has_ended() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    mark = ProcessMark(pid=process.pid, start=start_of(process.pid) or "", boot=boot_id(), host="here")
    assert is_alive(mark)

    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, but its parent has not asked yet

    assert not is_alive(mark)
    process.communicate(timeout=SECONDS)
    assert not is_alive(mark)


def test_another_process_with_the_same_number_is_another() -> None:
    me = this_process()

    assert is_alive(me)
    assert not is_alive(ProcessMark(pid=me.pid, start="1", boot=me.boot, host=me.host))
    assert not is_alive(ProcessMark(pid=me.pid, start=me.start, boot="yesterday", host=me.host))
