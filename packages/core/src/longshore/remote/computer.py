"""What this computer has for a task: cpus, memory and GPUs that this process may use, and a clean environment.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = [
    "clean_environment",
    "gpu_names",
    "memory_bytes",
    "physical_bytes",
    "quotas",
    "settings",
    "usable_cpus",
]

_GPU_FOLDER = "/proc/driver/nvidia/gpus"
_GPUS = "CUDA_VISIBLE_DEVICES"
# What version 1 says when there is no limit is a page below the largest number; no computer has so much.
_NO_LIMIT = 1 << 60


# The variables of a clean environment: who and where one is, how to write and talk, and what makes programs and
# libraries be found.
_CLEAN = (
    "CONDA_DEFAULT_ENV CONDA_PREFIX DYLD_LIBRARY_PATH HOME LANG LANGUAGE LD_LIBRARY_PATH LOGNAME PATH PYTHONPATH "
    "SHELL TMPDIR TZ USER VIRTUAL_ENV HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy"
).split()


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Give what a task is told of the environment that Longshore was started in: no secrets, and no habits."""
    clean = {name: value for name, value in environ.items() if name in _CLEAN or name.startswith("LC_")}
    clean.setdefault("PATH", os.defpath)
    return clean


def usable_cpus() -> float:
    """Count the cpus that we may use: the cores of our affinity, or fewer when a control group has a quota
    (containers).
    """
    cores = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    return min([cores, *quotas()])


def memory_bytes() -> int:
    """Give the memory of this computer, or less when a control group has a limit."""
    limits = [
        int(text)
        for name in ("memory.max", "memory.limit_in_bytes")
        for text in settings("memory", name)
        if text.isdigit()
    ]
    return min([physical_bytes(), *(limit for limit in limits if 0 < limit < _NO_LIMIT)])


def physical_bytes() -> int:
    """Give the memory of this computer, whatever may be used of it."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def gpu_names() -> list[str]:
    """Name the GPUs that we may use, by index, or as CUDA_VISIBLE_DEVICES names them when it is set."""
    visible = os.environ.get(_GPUS)
    if visible is not None:
        return [name.strip() for name in visible.split(",") if name.strip() not in ("", "-1", "NoDevFiles")]
    try:
        return [str(index) for index in range(len(os.listdir(_GPU_FOLDER)))]
    except OSError:
        return []


def quotas() -> Iterator[float]:
    """Give how many cores our control group, and those above it, may use, where they have a quota."""
    for text in settings("cpu", "cpu.max"):
        quota, _, period = text.partition(" ")
        if quota.isdigit():
            yield int(quota) / int(period)
    for quota, period in zip(settings("cpu", "cpu.cfs_quota_us"), settings("cpu", "cpu.cfs_period_us")):
        if int(quota) > 0:
            yield int(quota) / int(period)


def settings(controller: str, name: str) -> Iterator[str]:
    """Give what a setting is in our control group and in those above it, in version 1 or 2, as far as we can see
    them.
    """
    try:
        with open("/proc/self/cgroup") as file:
            own = [line.rstrip("\n").split(":", 2) for line in file]
        with open("/proc/self/mounts") as file:
            mounts = [line.split() for line in file]
    except OSError:
        return
    for _, controllers, path in own:
        for _, place, kind, options, *_ in mounts:
            first = kind == "cgroup" and controller in controllers.split(",") and controller in options.split(",")
            if first or (kind == "cgroup2" and not controllers):
                folder = path.rstrip("/")
                while True:
                    try:
                        with open(place + folder + "/" + name) as file:
                            yield file.read().strip()
                    except OSError:
                        pass
                    if not folder:
                        break
                    folder = folder.rpartition("/")[0]
