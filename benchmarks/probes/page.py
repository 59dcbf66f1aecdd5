"""Look at runs by `longshore web`, as a browser would, and print a figure as the last line.

Usage: page.py first | idle | event, in a folder with a run for the first two, in an empty one for the last

first: seconds until the first view of the latest run, of a server that has just begun
idle: percent of a core that the server needs while a page of a run that is over stays open
event: seconds from the end of an attempt, as the journal has it, until a page that follows the run shows it; the median
"""

from __future__ import annotations

import http.client
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from longshore.runtime.history import RunReader
from longshore.runtime.project import Project

LONGSHORE = [str(Path(sys.executable).with_name("longshore"))]
WATCH_SECONDS = 8.0
TASKS = 12
WORKFLOW = f"""
name = "seen"
[tasks.step]
for_each.n = {{ range = [1, {TASKS}] }}
command = "sleep 0.7"
"""


@dataclass(frozen=True)
class Server:
    """A server, and how to ask it."""

    host: str
    pid: int
    cookie: str

    def open(self, path: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(self.host, timeout=60)
        connection.request("GET", path, headers={"cookie": self.cookie})
        answer = connection.getresponse()
        assert answer.status == 200, (path, answer.status)
        return answer

    def see(self, path: str) -> str:
        return self.open(path).read().decode()

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def serving() -> Iterator[Server]:
    process = subprocess.Popen([*LONGSHORE, "web", "--quiet"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        address = urlsplit(process.stdout.readline().strip())
        connection = http.client.HTTPConnection(address.netloc, timeout=60)
        connection.request("GET", f"{address.path}?{address.query}")
        cookie = connection.getresponse().headers["set-cookie"].partition(";")[0]
        yield Server(address.netloc, process.pid, cookie)
    finally:
        process.terminate()
        process.wait(timeout=60)


def latest() -> str:
    return Project(Path.cwd()).find_run(None)


def first() -> float:
    run = latest()
    with serving() as server:
        began = time.perf_counter()
        assert " tasks done" in server.see(f"/runs/{run}")
        return time.perf_counter() - began


def idle() -> float:
    run = latest()
    with serving() as server:
        server.see(f"/runs/{run}")
        with server.open(f"/runs/{run}/changes"):
            time.sleep(2.0)
            before, began = server.cpu_seconds(), time.perf_counter()
            time.sleep(WATCH_SECONDS)
            return 100 * (server.cpu_seconds() - before) / (time.perf_counter() - began)


def event() -> float:
    Path("longshore.toml").write_text(WORKFLOW)
    process = subprocess.Popen([*LONGSHORE, "run", "-q", "-j", "1"], stdin=subprocess.DEVNULL)
    with serving() as server:
        while not any(Project(Path.cwd()).run_ids()):
            time.sleep(0.02)
        run, seen = latest(), {}
        with server.open(f"/runs/{run}/changes") as stream:
            while len(seen) < TASKS:
                page = server.see(f"/runs/{run}")
                now = time.time()
                done = re.search(r"([0-9]+) of [0-9]+ tasks done", page)
                assert done is not None
                for number in range(int(done[1])):
                    seen.setdefault(number, now)
                while len(seen) < TASKS and not stream.readline().startswith(b"data:"):
                    pass
    process.wait(timeout=60)
    ended = [
        each.at.timestamp() for _, each in RunReader(Project(Path.cwd()).run_folder(run)).events(kind="AttemptEnded")
    ]
    # Not the first, of which the page may have been opened after its end.
    return median(seen[number] - ended[number] for number in range(1, TASKS))


if __name__ == "__main__":
    print({"first": first, "idle": idle, "event": event}[sys.argv[1]]())
