"""Hosts that answer SSH, as long as they are needed."""

from __future__ import annotations

import select
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import longshore_side
import processes
from bench import Bench
from measure import NotMeasured, last_line, variables

PROBE = Path(__file__).parent / "probes" / "hosts.py"
PATIENCE_SECONDS = 120.0


@contextmanager
def hosts(bench: Bench, folder: Path, *, count: int = 1, kind: str = "python") -> Iterator[Path]:
    """Start real sshd processes, and end them with all that was left running on them.

    Gives the file of settings in which ssh finds them as h1, h2 and so on. ``kind`` is as in `probes/hosts.py`.
    Raises NotMeasured when there is no sshd to be had.
    """
    python = longshore_side.programs(bench, longshore_side.SSH) / "python"
    log = folder / "hosts.log"
    with log.open("wb") as errors:
        server = subprocess.Popen(
            [str(python), str(PROBE), str(folder), str(count), kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=variables(),
        )
    try:
        assert server.stdout is not None
        ready = select.select([server.stdout], [], [], PATIENCE_SECONDS)[0] and server.stdout.readline()
        if not ready:
            raise NotMeasured(f"no hosts: {last_line(log)}")
        yield folder / "ssh_config"
    finally:
        server.communicate(timeout=PATIENCE_SECONDS)
        processes.end_descendants()
