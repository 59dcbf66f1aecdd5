"""Start a command, wait for it, and say what it took."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import processes

SAMPLE_SECONDS = 0.1
"""Between two looks at the memory of a tree of processes."""


class NotMeasured(Exception):
    """There is no figure, and the text says why."""


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """A command line, as a user would give it, with its surroundings."""

    argv: tuple[str, ...]
    folder: Path
    env: Mapping[str, str]
    stdin: Path | None = None
    timeout_seconds: float = 900


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one command took, from before its start until it had ended."""

    wall_seconds: float
    peak_bytes: int
    """Of the largest process among the command and those it waited for, or of the whole tree at once if sampled."""


def execute(command: Invocation, *, sample_tree: bool = False) -> Cost:
    """Run the command to its end. Raises NotMeasured when it fails or takes too long.

    Processes that it leaves behind (daemons, workers) are ended afterwards, outside the time measured.
    """
    try:
        return run_beside(command, sample_tree=sample_tree)
    finally:
        processes.end_descendants()


def run_beside(command: Invocation, *, sample_tree: bool = False) -> Cost:
    """Do the same beside processes of ours that go on, and so are what it leaves behind."""
    log = command.folder / "output.log"
    start = time.perf_counter()
    child = start_process(command, log)
    sampled = _wait(child.pid, start + command.timeout_seconds, sample_tree=sample_tree)
    if sampled is None:
        child.kill()
        child.wait()
        raise NotMeasured(f"took more than {command.timeout_seconds:.0f} s")
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise NotMeasured(f"{Path(command.argv[0]).name} ended with {child.returncode}: {last_line(log)}")
    return Cost(wall_seconds=wall, peak_bytes=max(usage.ru_maxrss * 1024, sampled))


def start_process(command: Invocation, log: Path) -> subprocess.Popen[bytes]:
    """Start the command with its output in a file. The caller waits for it."""
    source = command.stdin or Path(os.devnull)
    with source.open("rb") as stdin, log.open("wb") as output:
        return subprocess.Popen(
            command.argv, cwd=command.folder, env=command.env, stdin=stdin, stdout=output, stderr=subprocess.STDOUT
        )


def typical(command: Invocation, *, times: int) -> float:
    """Give the median wall time of several runs, for commands so short that one says little."""
    return median(execute(command).wall_seconds for _ in range(times))


def last_line(log: Path) -> str:
    """Give the last line of a log that says something, cut to a readable length."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1][:200] if lines else "no output"


def _wait(pid: int, deadline: float, *, sample_tree: bool) -> int | None:
    """Wait until the process has ended (it is not reaped); give the peak of its tree, or None at the deadline."""
    peak = 0
    with os.fdopen(os.pidfd_open(pid)) as handle:
        while (left := deadline - time.perf_counter()) > 0:
            if select.select([handle], [], [], min(left, SAMPLE_SECONDS) if sample_tree else left)[0]:
                return peak
            if sample_tree:
                peak = max(peak, sum(process.memory_bytes for process in processes.descendants()))
    return None


def variables(**extra: str) -> dict[str, str]:
    """Give the environment of a measured command: ours with additions, without a virtual environment of ours."""
    inherited = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    return {**inherited, **extra}


def arguments(*words: str | Path) -> tuple[str, ...]:
    """Give the words of a command line as text."""
    return tuple(str(word) for word in words)


def total_cpu(among: Sequence[processes.Process]) -> float:
    """Sum up the CPU seconds of processes."""
    return sum(process.cpu_seconds for process in among)
