"""Work on hosts that answer SSH, on loopback: beside what ssh itself would take for the same."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import longshore_side
import processes
from bench import Bench
from far import hosts
from figures import ADDED, AGAIN, CORE, OURS, WALL, WHOLE, Bar, Promise, Reading
from measure import Invocation, NotMeasured, last_line, run_beside, start_process, variables
from scenarios.base import Measure, Scenario, entering

SHELLS = ("bash", "busybox", "dash")
"""What a host without Python may have."""
XARGS = "xargs-over-ssh"
PROCESSES = "ssh-each"
CAT = "cat-over-ssh"
TAR = "tar-over-ssh"
PEERS = (XARGS, PROCESSES, CAT, TAR)
_FEW = 40
"""So many ssh processes show what one takes."""
_GIB = 1 << 30
_FILE_BYTES = 5_000
_SLEEP_SECONDS = 90
_SETTLE_SECONDS = 5.0
_WATCH_SECONDS = 10.0


def far_fan_scenario(tasks: int, kind: str = "python") -> Scenario:
    """Independent tasks on one host, which has Python or only a shell."""
    text = f'[tasks.job]\nfor_each.i = {{ range = [1, {tasks}] }}\ncommand = "/bin/true"\n'

    def ours(bench: Bench, folder: Path) -> Reading:
        with hosts(bench, folder, kind=kind):
            # What a host has is asked once a week, and not for each run.
            run_beside(longshore_side.far_run(bench, '[tasks.first]\ncommand = "true"\n')(folder))
            return _wall(longshore_side.far_run(bench, text)(folder))

    def xargs(bench: Bench, folder: Path) -> Reading:
        (folder / "numbers").write_text("".join(f"{number}\n" for number in range(tasks)))
        return _over_ssh(bench, folder, '$SSH "xargs -P2 -n1 /bin/true" < numbers')

    def each(bench: Bench, folder: Path) -> Reading:
        took = _over_ssh(bench, folder, f"seq {_FEW} | xargs -P2 -I{{}} $SSH /bin/true")
        return {WALL: took[WALL] * tasks / _FEW}

    peers = [(XARGS, "ssh host xargs -P2 -n1 /bin/true", xargs)]
    bars = [Bar(subject=XARGS, promise=Promise.RATIO, limit=0.5 if kind == "python" else 0.15)]
    if kind == "python":
        peers.append((PROCESSES, f"an ssh process for each, two at a time ({_FEW} of them, reckoned up)", each))
        bars.append(Bar(subject=PROCESSES, promise=Promise.RATIO, limit=20))
    there = "one host with Python" if kind == "python" else f"one host without Python, by {kind}"
    return _scenario(f"{_family(kind)}-{tasks}", f"{tasks:,} tasks on {there}", tasks, ours, peers, bars)


def _family(kind: str) -> str:
    return "ssh" if kind == "python" else f"ssh-{kind}"


def far_chain_scenario(tasks: int) -> Scenario:
    """Tasks in a row on one host: what each of them adds once the link is there."""

    def chain(length: int) -> str:
        after = [f'after = ["j{number - 1}"]\n' if number else "" for number in range(length)]
        return "".join(f'[tasks.j{number}]\ncommand = "/bin/true"\n{line}\n' for number, line in enumerate(after))

    def ours(bench: Bench, folder: Path) -> Reading:
        with hosts(bench, folder):
            one = _wall(longshore_side.far_run(bench, chain(1))(folder))[WALL]
            all_of_them = _wall(longshore_side.far_run(bench, chain(tasks + 1))(folder))[WALL]
        return {WALL: all_of_them, ADDED: (all_of_them - one) / tasks}

    bar = Bar(subject=OURS, promise=Promise.BELOW, limit=0.03, quantity=ADDED)
    return _scenario(f"ssh-chain-{tasks}", f"{tasks:,} tasks in a row on one host", tasks, ours, (), [bar])


def far_file_scenario() -> Scenario:
    """A file of 1 GiB that a task on a host reads: until it is there, with its digest taken here and there."""

    def make(folder: Path) -> None:
        _write_random(folder / "data", _GIB)

    peer = (CAT, "cat | ssh host 'cat >'", "cat data | $SSH 'cat > \"$HOME/data\"'")
    return _staging("ssh-file", "1 GiB to one host", make, peer, 0.5)


def far_files_scenario(files: int) -> Scenario:
    """The same for a folder of small files."""

    def make(folder: Path) -> None:
        _write_files(folder / "data", files)

    peer = (TAR, "tar | ssh host tar", "tar -cf - data | $SSH 'tar -xf - -C \"$HOME\"'")
    return _staging(f"ssh-files-{files}", f"{files:,} files of 5 kB to one host", make, peer, 1.0)


def _staging(name: str, title: str, make: Callable[[Path], None], peer: tuple[str, str, str], ratio: float) -> Scenario:
    subject, label, script = peer
    task = '[tasks.{}]\ncommand = "true"\ninputs = ["data"]\n'
    text = f'{task.format("first")}\n{task.format("second")}after = ["first"]\n'

    def ours(bench: Bench, folder: Path) -> Reading:
        make(folder)
        with hosts(bench, folder):
            whole = run_beside(longshore_side.far_run(bench, text)(folder)).wall_seconds
        staged, again = longshore_side.staging_seconds(folder, "first", "second")
        return {WALL: staged, AGAIN: again, WHOLE: whole}

    def theirs(bench: Bench, folder: Path) -> Reading:
        make(folder)
        return _over_ssh(bench, folder, script)

    bar = Bar(subject=subject, promise=Promise.RATIO, limit=ratio)
    return _scenario(name, title, None, ours, [(subject, label, theirs)], [bar])


def far_hosts_scenario(count: int) -> Scenario:
    """One command on many hosts: the links to them, from the shell prompt."""

    def ours(bench: Bench, folder: Path) -> Reading:
        with hosts(bench, folder, count=count):
            command = longshore_side.far(bench, _sleeping(1), "exec", "far", "--", "true", hosts=count)
            return _wall(command(folder))

    bar = Bar(subject=OURS, promise=Promise.BELOW, limit=10.0)
    return _scenario(f"ssh-hosts-{count}", f"longshore exec on {count} hosts", None, ours, (), [bar])


def far_idle_scenario(count: int) -> Scenario:
    """The processor time of a controller with many links, while the only task sleeps."""

    def ours(bench: Bench, folder: Path) -> Reading:
        with hosts(bench, folder, count=count):
            command = longshore_side.far_run(bench, _sleeping(_SLEEP_SECONDS), hosts=count)(folder)
            return _watch(command, count)

    bar = Bar(subject=OURS, promise=Promise.BELOW, limit=3.0, quantity=CORE)
    return _scenario(f"ssh-idle-{count}", f"controller of {count} hosts while a task sleeps", None, ours, (), [bar])


def _scenario(
    name: str,
    title: str,
    tasks: int | None,
    ours: Measure,
    peers: Sequence[tuple[str, str, Measure]],
    bars: Sequence[Bar],
) -> Scenario:
    enter = entering(_installed, [(OURS, "longshore", ours), *peers])
    return Scenario(name=name, title=f"by SSH, {title}", tasks=tasks, enter=enter, bars=tuple(bars))


def _installed(bench: Bench) -> None:
    longshore_side.programs(bench, longshore_side.SSH)  # the hosts are made by it, too


def _wall(command: Invocation) -> Reading:
    return {WALL: run_beside(command).wall_seconds}


def _over_ssh(bench: Bench, folder: Path, script: str) -> Reading:
    """Measure a script of the shell in which $SSH is ssh to a host."""
    with hosts(bench, folder) as config:
        env = variables(SSH=f"ssh -F {config} h1")
        return _wall(Invocation(argv=("sh", "-c", script), folder=folder, env=env))


def _sleeping(seconds: int) -> str:
    return f'[tasks.job]\ncommand = "sleep {seconds}"\n'


def _write_random(path: Path, size: int) -> None:
    block = os.urandom(1 << 20)
    with path.open("wb") as file:
        for _ in range(size >> 20):
            file.write(block)


def _write_files(folder: Path, count: int) -> None:
    dice = random.Random(1)
    for number in range(count):
        path = folder / str(number // 100) / f"{number}.dat"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(dice.randbytes(_FILE_BYTES))


def _watch(command: Invocation, count: int) -> Reading:
    log = command.folder / "output.log"
    before_us = _pythons()
    controller = start_process(command, log)
    try:
        deadline = time.perf_counter() + _SLEEP_SECONDS
        # Each host that is linked has a supervisor, which is a Python of its own.
        while not (_sleeps() and _pythons() - before_us >= count):
            if time.perf_counter() > deadline or controller.poll() is not None:
                raise NotMeasured(f"the task did not come to sleep on {count} linked hosts: {last_line(log)}")
            time.sleep(0.1)
        time.sleep(_SETTLE_SECONDS)
        before, start = processes.look(controller.pid).cpu_seconds, time.perf_counter()
        time.sleep(_WATCH_SECONDS)
        used, watched = processes.look(controller.pid).cpu_seconds - before, time.perf_counter() - start
        if not _sleeps():
            raise NotMeasured("the task ended while its controller was watched")
        return {CORE: 100 * used / watched}
    finally:
        controller.kill()
        controller.wait()


def _sleeps() -> bool:
    return any(process.program == "sleep" for process in processes.descendants())


def _pythons() -> int:
    return sum(process.program.startswith("python") for process in processes.descendants())
