"""Room, limits, and proof of what an attempt ran out of."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest

from longshore.builtin.local import LocalConfig, local_machines
from longshore.model.command import Argv, Call, Shell
from longshore.model.outcome import Exited, FailureClass, Lost
from longshore.model.resources import Resources
from longshore.plugin.abilities import HandsOutGpus
from longshore.remote.limits import MemoryGroups

from .bench import Bench

MIB = 1 << 20


def most_at_once(bench: Bench, number: int, expected: int, **needs: Any) -> int:
    """Start so many attempts, of which the first wait for each other; give how many ran at one time at most."""
    log = bench.project / "log"
    text = "echo + >> $LOG; until test $(grep -c + $LOG) -ge $EXPECTED; do sleep 0.01; done; echo - >> $LOG"
    env = {"LOG": str(log), "EXPECTED": str(expected)}
    for n in range(number):
        bench.go(f"a{n}", Shell(text), env=env, needs=Resources(**needs))
    for n in range(number):
        bench.ended(f"a{n}")
    return max(accumulate(1 if line == "+" else -1 for line in log.read_text().split()))


@pytest.mark.parametrize(
    ("room", "needs", "expected"),
    [
        ({"cpus": 2.0}, {"cpus": 1.0}, 2),
        ({"cpus": 1.0}, {"cpus": 0.1}, 10),
        ({"cpus": 8.0, "memory_bytes": 300 * MIB}, {"memory_bytes": 100 * MIB}, 3),
        ({"cpus": 8.0, "slots": 2}, {"cpus": 0.0}, 2),
    ],
)
def test_never_more_runs_at_once_than_there_is_room_for(
    bench: Bench, room: dict[str, Any], needs: dict[str, Any], expected: int
) -> None:
    bench.open(**room)

    assert most_at_once(bench, 12, expected, **needs) == expected


def test_none_overtakes_one_that_waits_for_more_room(bench: Bench) -> None:
    bench.open(cpus=2.0)
    order = bench.project / "order"
    gate = bench.project / "gate"
    bench.go("first", Shell(f"until test -e {gate}; do sleep 0.01; done"))
    bench.go("big", Shell(f"echo big >> {order}"), needs=Resources(cpus=2.0))
    bench.go("small", Shell(f"echo small >> {order}"))
    bench.started("first")
    gate.touch()

    bench.ended("small")
    assert order.read_text() == "big\nsmall\n"


def test_what_can_never_fit_is_refused_in_words(bench: Bench) -> None:
    bench.open(cpus=2.0)

    ended = bench.execute("a", Argv(("true",)), needs=Resources(cpus=3.0))

    assert isinstance(ended.outcome, Lost)
    assert ended.failure is FailureClass.CAPACITY
    assert ended.evidence == "it needs 3 cpus, and this machine has 2 in all"


def test_gpus_are_handed_out_by_index_and_hidden_from_the_others(bench: Bench) -> None:
    bench.open(gpus=3)
    gate = bench.project / "gate"
    text = f"echo $CUDA_VISIBLE_DEVICES; until test -e {gate}; do sleep 0.01; done"
    for task, gpus in (("a", 1), ("b", 2), ("c", 0)):
        bench.go(task, Shell(text), needs=Resources(gpus=gpus))
        bench.started(task)
    gate.touch()
    for task in "abc":
        bench.ended(task)

    assert [(bench.logs / f"{task}.1.out").read_text() for task in "abc"] == ["0\n", "1,2\n", "\n"]


def test_which_gpus_are_handed_out_may_change_and_outlasts_the_supervisor(bench: Bench) -> None:
    session = bench.open(gpus=2)
    assert isinstance(session, HandsOutGpus)
    show = Shell("echo $CUDA_VISIBLE_DEVICES")

    first = bench.execute("a", show, needs=Resources(gpus=2))
    session.use_gpus([3, 1])
    second = bench.execute("b", show, needs=Resources(gpus=2))
    os.kill(bench.supervisor(), signal.SIGKILL)
    third = bench.execute("c", show, needs=Resources(gpus=1))

    assert [end.outcome for end in (first, second, third)] == [Exited(0)] * 3
    assert [(bench.logs / f"{task}.1.out").read_text() for task in "abc"] == ["0,1\n", "3,1\n", "3\n"]


def test_thread_pools_are_told_their_cpus(bench: Bench) -> None:
    bench.go("a", Shell("echo $OMP_NUM_THREADS"), needs=Resources(cpus=3.0))
    bench.go("b", Shell("echo $OMP_NUM_THREADS"), env={"OMP_NUM_THREADS": "7"})
    bench.go("c", Call(function="os:getenv", arguments='{"args": ["OMP_NUM_THREADS"]}'), needs=Resources(cpus=2.0))
    for task in "ab":
        bench.ended(task)

    assert [(bench.logs / f"{task}.1.out").read_text() for task in "ab"] == ["3\n", "7\n"]
    assert bench.ended("c").result == '"2"'


def test_what_was_used_is_told(bench: Bench) -> None:
    program = f"x = bytearray({64 * MIB}); import time\nwhile time.process_time() < 0.3: pass"
    ended = bench.execute("a", Argv((sys.executable, "-c", program)))

    assert ended.usage is not None
    assert 0.3 <= ended.usage.cpu_seconds < 10
    assert 64 * MIB < ended.usage.peak_memory_bytes < 256 * MIB
    assert ended.started_at is not None
    assert ended.ended_at is not None
    assert ended.started_at < ended.ended_at


# --- memory


@pytest.fixture
def limited() -> None:
    group = MemoryGroups().limit(64 * MIB)
    if group is None:
        pytest.skip("this user may make no control group with a memory limit here")
    group.remove()


@pytest.mark.usefixtures("limited")
@pytest.mark.parametrize("text", ["{0}", "{0}; exit 3", "setsid {0}; exit 3"])
def test_an_attempt_that_uses_more_memory_than_it_may_is_killed_and_says_so(bench: Bench, text: str) -> None:
    hog = f"{sys.executable} -c 'x = bytearray({256 * MIB})'"

    ended = bench.execute("a", Shell(text.format(hog)), needs=Resources(memory_bytes=64 * MIB))

    assert isinstance(ended.outcome, Exited)
    assert ended.outcome.code != 0
    assert ended.failure is FailureClass.OUT_OF_MEMORY
    assert f"more than the {64 * MIB} bytes" in ended.evidence


@pytest.mark.usefixtures("limited")
def test_a_call_that_uses_more_memory_than_it_may_is_killed_and_says_so(bench: Bench) -> None:
    call = Call(function="builtins:bytearray", arguments=f'{{"args": [{256 * MIB}]}}')

    ended = bench.execute("a", call, needs=Resources(memory_bytes=64 * MIB))

    assert ended.failure is FailureClass.OUT_OF_MEMORY
    assert bench.execute("b", Call(function="os:getpid"), needs=Resources(memory_bytes=64 * MIB)).outcome == Exited(0)


@pytest.mark.usefixtures("limited")
def test_no_control_group_is_left(bench: Bench) -> None:
    bench.execute("a", Argv(("true",)), needs=Resources(memory_bytes=64 * MIB))
    groups = MemoryGroups()
    pid = bench.supervisor()
    bench.session.close()

    assert [name for name in os.listdir(groups.base) if name.startswith(f"longshore-{pid}-")] == []


# --- disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)], capture_output=True, check=False, timeout=120
    )
    if mounted.returncode:
        pytest.skip("this user may not mount a small disk")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True, timeout=120)


def on_small_disk(bench: Bench, small_disk: Path) -> None:
    (small_disk / "work").mkdir()
    bench.folder.mkdir(parents=True)
    (bench.folder / "work").symlink_to(small_disk / "work")


def test_a_full_disk_is_told_from_what_the_command_says(bench: Bench, small_disk: Path) -> None:
    on_small_disk(bench, small_disk)

    ended = bench.execute("a", Shell("head -c 16000000 /dev/zero > big"))

    assert ended.failure is FailureClass.DISK_FULL
    assert "No space left on device" in ended.evidence


def test_a_full_disk_is_told_although_the_command_is_silent(bench: Bench, small_disk: Path) -> None:
    on_small_disk(bench, small_disk)

    ended = bench.execute("a", Shell("head -c 16000000 /dev/zero > big 2> /dev/null"))

    assert ended.failure is FailureClass.DISK_FULL
    assert "bytes are left on the disk of" in ended.evidence


def test_a_store_that_is_full_is_told(bench: Bench, small_disk: Path) -> None:
    bench.store.symlink_to(small_disk)

    ended = bench.execute("a", Shell("head -c 16000000 /dev/zero > big"), outputs=("big",))

    assert ended.failure is FailureClass.DISK_FULL
    assert "No space left on device" in ended.evidence
    assert os.listdir(small_disk / "tmp") == []
    assert (Path(ended.workdir) / "big").stat().st_size == 16000000


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1000))


def test_a_record_that_cannot_be_written_starts_nothing(bench: Bench, small_disk: Path) -> None:
    bench.folder.parent.mkdir(parents=True)
    bench.folder.symlink_to(small_disk)
    bench.execute("a", Argv(("true",)))
    counter = bench.project / "counter"
    with pytest.raises(OSError, match="No space"):
        fill(small_disk / "ballast")

    ends = [bench.execute(f"b{n}", Shell(f"echo {n} >> {counter}")) for n in range(100)]
    (small_disk / "ballast").unlink()
    after = bench.execute("c", Argv(("true",)))

    failed = [end for end in ends if end.failure is FailureClass.DISK_FULL]
    assert failed
    assert len(ends) - len(failed) == (len(counter.read_text().splitlines()) if counter.exists() else 0)
    assert after.outcome == Exited(0)


# --- this computer


def test_this_computer_is_one_machine_with_what_it_has_or_what_is_said() -> None:
    (machine,) = local_machines(LocalConfig(), "here")
    (small,) = local_machines(LocalConfig(cpus=0.5, memory="1 GiB", gpus=2), "there")

    assert 0 < machine.resources.cpus <= len(os.sched_getaffinity(0))
    assert 0 < machine.resources.memory_bytes <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert small.resources == Resources(cpus=0.5, memory_bytes=1 << 30, gpus=2)
    assert (machine.id, small.pool) == ("here", "there")
