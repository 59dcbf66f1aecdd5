"""Follow a run on a terminal, and print how many seconds pass from what happens until it is shown; the median.

Usage: terminal.py watch | logs, in an empty folder

watch: from the end of an attempt, as the journal has it, until `longshore watch` has drawn that one more has succeeded
logs: from the moment at which a task writes a line until `longshore logs -f` has shown it
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from longshore.runtime.history import RunReader
from longshore.runtime.project import Project

LONGSHORE = str(Path(sys.executable).with_name("longshore"))
TASKS = 12
STEPS = f"""
name = "seen"
[tasks.step]
for_each.n = {{ range = [1, {TASKS}] }}
command = "sleep 0.7"
"""
LINES = f"""
name = "said"
[tasks.say]
command = "for n in $(seq {TASKS}); do sleep 0.7; date +%s.%N; done"
"""
SEQUENCE = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]")
DONE = re.compile(rb"(\d+) succeeded")


@contextmanager
def beginning(text: str) -> Iterator[RunReader]:
    """Run a workflow beside us, one task at a time, and give its record."""
    Path("longshore.toml").write_text(text)
    process = subprocess.Popen([LONGSHORE, "run", "-q", "-j", "1"], stdin=subprocess.DEVNULL)
    project = Project(Path.cwd())
    while not any(project.run_ids()):
        time.sleep(0.02)
    yield RunReader(project.run_folder(project.find_run(None)))
    process.wait(timeout=60)


@contextmanager
def on_a_terminal(*words: str) -> Iterator[int]:
    """Start a command on a terminal, and give the descriptor by which it is seen."""
    screen, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 45, 140, 0, 0))
    env = {**os.environ, "TERM": "xterm-256color"}
    process = subprocess.Popen([LONGSHORE, *words], stdin=theirs, stdout=theirs, stderr=theirs, env=env)
    os.close(theirs)
    try:
        yield screen
    finally:
        process.terminate()
        process.wait(timeout=60)
        os.close(screen)


def watch() -> float:
    """Look for the number of tasks that have succeeded, which stands in the first line."""
    seen: dict[int, float] = {}
    with beginning(STEPS) as run, on_a_terminal("watch") as screen:
        drawn = b""
        while len(seen) < TASKS:
            drawn = SEQUENCE.sub(b"", drawn + os.read(screen, 1 << 16))
            now = time.time()
            for found in DONE.finditer(drawn):
                for number in range(int(found[1])):
                    seen.setdefault(number, now)
            drawn = drawn[-100:]
    ended = [each.at.timestamp() for _, each in run.events(kind="AttemptEnded")]
    # Not the first, of which the screen may have been begun after its end.
    return median(seen[number] - ended[number] for number in range(1, TASKS))


def logs() -> float:
    """Compare each line, which is the moment at which it was written, with the clock."""
    late: list[float] = []
    with beginning(LINES), on_a_terminal("logs", "-f", "say") as screen:
        shown = b""
        while len(late) < TASKS:
            shown += os.read(screen, 1 << 16)
            now = time.time()
            *lines, shown = shown.split(b"\n")
            late += [now - float(line) for line in lines if line.strip()]
    return median(late[1:])


if __name__ == "__main__":
    print({"watch": watch, "logs": logs}[sys.argv[1]]())
