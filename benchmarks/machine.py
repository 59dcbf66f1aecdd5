"""What the figures were measured on, and whether somebody else was using it."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import asdict, dataclass
from pathlib import Path

BUSY_SHARE = 0.25
"""Above this load per core the figures are not to be trusted."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The facts that explain a figure."""

    cores: int
    processor: str
    memory_gib: float
    kernel: str
    python: str
    load_average: float
    """Of the last minute, before the first measurement."""
    busy_cores: float
    """How many cores others kept busy while we looked, before the first measurement."""

    def as_dict(self) -> dict[str, object]:
        """Give the facts as plain values."""
        return asdict(self)

    @property
    def line(self) -> str:
        """Say it in one line."""
        return (
            f"{self.cores} cores, {self.processor}, {self.memory_gib:.0f} GiB, {self.kernel}, Python {self.python}, "
            f"load average {self.load_average:.2f}, busy cores before the start {self.busy_cores:.1f}"
        )

    @property
    def warning(self) -> str | None:
        """Say that others are using the machine, if they are."""
        load = max(self.load_average, self.busy_cores)
        if load <= BUSY_SHARE * self.cores:
            return None
        return f"WARNING: {load:.1f} of {self.cores} cores were busy before the start: trust ratios, not seconds"


def look_at_machine(seconds: float = 1.0) -> Machine:
    """Collect the facts, watching the processors for a moment."""
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        processor=_first_value("/proc/cpuinfo", "model name") or platform.machine(),
        memory_gib=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30,
        kernel=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        load_average=os.getloadavg()[0],
        busy_cores=busy_cores(seconds),
    )


def busy_cores(seconds: float) -> float:
    """Give how many cores are busy on average while this process sleeps."""
    before, start = _busy_ticks(), time.perf_counter()
    time.sleep(seconds)
    ticks = _busy_ticks() - before
    return ticks / os.sysconf("SC_CLK_TCK") / (time.perf_counter() - start)


def _busy_ticks() -> int:
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, _stat_fields()[:8])
    return user + nice + system + irq + softirq + steal


def _stat_fields() -> list[str]:
    return Path("/proc/stat").read_text().splitlines()[0].split()[1:]


def _first_value(file: str, key: str) -> str | None:
    for line in Path(file).read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return None
