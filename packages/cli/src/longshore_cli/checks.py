"""What ``longshore doctor`` looks at on this computer. Each check touches nothing that it does not put back."""

from __future__ import annotations

import errno
import fcntl
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from longshore.model.quantity import format_size
from longshore.plugin.hosts import Finding, Soundness

__all__ = ["examine"]

_OK, _WARNING, _BAD = Soundness
_OLDEST_PYTHON = (3, 11)
_LITTLE_ROOM = 5 * 2**30
_NO_ROOM = 200 * 2**20
_FEW_FILES = 1024
_EARLIEST = 1_750_000_000
"""A time in 2025, before this was written: a clock that shows less is wrong."""
_CLOCK_SLACK_SECONDS = 2.0


def examine(project: Path, state: Path) -> Iterator[Finding]:
    """Make every check, each by itself: one that fails says so and stops no other.

    ``project`` is the folder of the project, ``state`` the one for what a user keeps for all projects.
    """
    checks: Sequence[tuple[str, Callable[[], Finding]]] = [
        ("python", _python),
        ("platform", _platform),
        ("project folder", lambda: _writable("project folder", project)),
        ("file locks", lambda: _locks(project)),
        ("clock", lambda: _clock(project)),
        ("disk", lambda: _disk(project)),
        ("copies", lambda: _copies(project)),
        ("state folder", lambda: _state(state)),
        ("open files", _open_files),
        ("memory limits", _memory_limits),
        ("plugins", _plugins),
        ("machines", _machines),
    ]
    for name, check in checks:
        try:
            yield check()
        except OSError as error:
            says = f"cannot be told: {error.strerror or error}"
            yield Finding(name=name, state=_WARNING, says=says, remedy="see whether the file system is sound")


def _python() -> Finding:
    says = f"Python {platform.python_version()} at {sys.executable}"
    if sys.version_info < _OLDEST_PYTHON:
        return Finding(name="python", state=_BAD, says=says, remedy="install Python 3.11 or newer")
    return Finding(name="python", state=_OK, says=says)


def _platform() -> Finding:
    says = f"{platform.system()} {platform.release()} on {platform.machine()}, {os.cpu_count() or 1} cores"
    if sys.platform.startswith(("linux", "darwin")):
        return Finding(name="platform", state=_OK, says=says)
    remedy = "run longshore inside WSL" if sys.platform.startswith("win") else "use Linux or macOS"
    return Finding(name="platform", state=_BAD, says=says, remedy=remedy)


def _writable(name: str, folder: Path) -> Finding:
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        denied = error.errno == errno.EACCES
        remedy = f"chmod u+w {folder}" if denied else "mount it for writing, or free some space"
        return Finding(name=name, state=_BAD, says=f"{folder} cannot be written: {error.strerror}", remedy=remedy)
    return Finding(name=name, state=_OK, says=f"{folder} can be written")


def _locks(folder: Path) -> Finding:
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            says = f"the file system of {folder} has none ({error.strerror}), so runs could not be kept apart"
            remedy = "move the project to a local disk, or mount the share with locks"
            return Finding(name="file locks", state=_BAD, says=says, remedy=remedy)
    return Finding(name="file locks", state=_OK, says="work here")


def _clock(folder: Path) -> Finding:
    now = time.time()
    if now < _EARLIEST:
        says = f"shows {time.strftime('%Y-%m-%d %H:%M', time.gmtime(now))} UTC, which is past"
        return Finding(name="clock", state=_BAD, says=says, remedy="set the clock: timedatectl set-ntp true")
    with tempfile.TemporaryFile(dir=folder) as file:
        apart = os.fstat(file.fileno()).st_mtime - time.time()
    if abs(apart) > _CLOCK_SLACK_SECONDS:
        says = f"the file system's clock is {apart:+.0f} s from this computer's, so changed files may be told late"
        return Finding(name="clock", state=_WARNING, says=says, remedy="synchronise both by NTP")
    return Finding(name="clock", state=_OK, says="agrees with the file system's")


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    says = f"{format_size(free)} free for {folder}"
    if free < _NO_ROOM:
        remedy = "free some space; `longshore clean` removes cached outputs"
        return Finding(name="disk", state=_BAD, says=says, remedy=remedy)
    if free < _LITTLE_ROOM:
        return Finding(name="disk", state=_WARNING, says=says, remedy="`longshore clean` removes cached outputs")
    return Finding(name="disk", state=_OK, says=says)


def _copies(folder: Path) -> Finding:
    """See whether copies share their blocks: then inputs cost neither time nor room."""
    if _clones(folder):
        return Finding(name="copies", state=_OK, says="share their blocks (reflink), so inputs cost no room")
    return Finding(name="copies", state=_OK, says="are whole copies; on btrfs, xfs or APFS they would cost no room")


def _clones(folder: Path) -> bool:
    if sys.platform == "darwin":
        return True  # APFS, which every supported macOS has
    ficlone = 0x40049409  # from linux/fs.h
    with tempfile.TemporaryFile(dir=folder) as source, tempfile.TemporaryFile(dir=folder) as target:
        source.write(b"\0" * 4096)
        source.flush()
        try:
            fcntl.ioctl(target, ficlone, source.fileno())
        except OSError:
            return False
    return True


def _state(folder: Path) -> Finding:
    existing = folder
    while not existing.exists():
        existing = existing.parent
    if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK):
        return Finding(name="state folder", state=_OK, says=f"{folder} can be written")
    remedy = "make it writable, or set XDG_STATE_HOME to a folder that is"
    return Finding(name="state folder", state=_BAD, says=f"{folder} cannot be made or written", remedy=remedy)


def _open_files() -> Finding:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return Finding(name="open files", state=_OK, says="no limit")
    if soft >= _FEW_FILES:
        return Finding(name="open files", state=_OK, says=f"up to {soft:,} at once")
    wanted = _FEW_FILES * 4
    remedy = f"ulimit -n {wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)}"
    return Finding(name="open files", state=_WARNING, says=f"only {soft:,} at once", remedy=remedy)


def _memory_limits() -> Finding:
    """See whether a task can be held to the memory that it asks for, by making a control group as a run would."""
    from longshore.remote.limits import MemoryGroups

    limit = MemoryGroups().limit(2**30)
    if limit is not None:
        limit.remove()
        return Finding(name="memory limits", state=_OK, says="a task is held to the memory that it asks for")
    says = "memory is counted, but no task is held to what it asks for: this user may make no control groups"
    remedy = "run inside a systemd user session (systemd-run --user --scope -p Delegate=yes longshore ...)"
    return Finding(name="memory limits", state=_WARNING, says=says, remedy=remedy if sys.platform == "linux" else "")


def _plugins() -> Finding:
    from longshore_cli.plugins import installed

    plugins = installed(check=True)
    broken = [plugin for plugin in plugins if plugin.problem]
    if broken:
        says = "; ".join(plugin.problem for plugin in broken)
        return Finding(name="plugins", state=_WARNING, says=says, remedy="install the right version, or remove it")
    return Finding(name="plugins", state=_OK, says=f"{len(plugins)} found")


def _machines() -> Finding:
    from longshore.errors import LedgerError
    from longshore_cli.living import living_leases, said_of

    now = datetime.now(UTC)
    try:
        leases = living_leases()
    except LedgerError as error:
        return Finding(name="machines", state=_BAD, says=str(error), remedy="without the ledger nothing can be rented")
    if not leases:
        return Finding(name="machines", state=_OK, says="none is rented by this computer")
    late = any(lease.spec.ends_at <= now or lease.phase.value == "ending" for lease in leases)
    remedy = "`longshore gc --wait` ends them, and proves it" if late else "`longshore machines list` shows them"
    return Finding(name="machines", state=_WARNING if late else _OK, says=said_of(leases, now), remedy=remedy)
