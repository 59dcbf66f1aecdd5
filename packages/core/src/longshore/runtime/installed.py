"""The environments of this computer, outside of any run: what there is, building ahead, removing."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import subprocess
import sys
import tempfile
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from attrs import frozen

import longshore.remote
from longshore.errors import EnvironmentBuildError, UsageError
from longshore.model.environment import BuildSpec, EnvironmentSpec
from longshore.remote.builder import KEY_DIGITS
from longshore.remote.computer import clean_environment
from longshore.remote.software import default_root
from longshore.remote.store import remove_tree
from longshore.remote.wire_builds import build_order

__all__ = [
    "Installed",
    "build_here",
    "find_installed",
    "is_built",
    "list_installed",
    "remove_installed",
    "remove_unused",
]


@frozen(kw_only=True)
class Installed:
    """One environment of this computer."""

    key: str
    name: str
    """What it was called where it was built; empty for one that is half built."""
    python: str
    """Version of its own Python; empty when it has none."""
    place: Path
    bytes: int
    built: datetime | None
    """None for one that is half built."""
    used: datetime
    """When it was last given to a run."""
    in_use: bool
    """Whether a run uses or builds it now."""


def list_installed() -> list[Installed]:
    """List the environments of this computer's user, those that are half built too, the last used first."""
    root = Path(default_root(os.environ))
    try:
        locks = [Path(entry.path) for entry in os.scandir(root) if entry.name.endswith(".lock")]
    except FileNotFoundError:
        return []
    found = [_look(root, lock) for lock in locks]
    return sorted((each for each in found if each is not None), key=lambda each: each.used, reverse=True)


def _look(root: Path, lock: Path) -> Installed | None:
    key = lock.name.removesuffix(".lock")
    place = root / key
    if not place.is_dir():
        return None
    told = {}
    with suppress(OSError, ValueError):
        told = json.loads((root / f"{key}.json").read_text(encoding="utf-8"))
    built = told.get("built")
    handle = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    try:
        in_use = not _taken(handle)
    finally:
        os.close(handle)
    return Installed(
        key=key,
        name=told.get("name", ""),
        python=told.get("python", ""),
        place=place,
        bytes=_size(place),
        built=None if built is None else datetime.fromtimestamp(built, UTC),
        used=datetime.fromtimestamp(lock.stat().st_mtime, UTC),
        in_use=in_use,
    )


def _taken(handle: int) -> bool:
    """Take a lock for us alone, if nobody has it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def find_installed(name: str) -> list[Installed]:
    """Find environments by the name that they were built by, or by the beginning of their key.

    Raises:
        UsageError: when there is none.
    """
    known = list_installed()
    found = [each for each in known if each.name == name] or [each for each in known if each.key.startswith(name)]
    if not found:
        names = ", ".join(sorted({each.name for each in known if each.name})) or "there are none"
        raise UsageError(f"no environment of this computer is called {name!r}; known are: {names}")
    return found


def remove_installed(environment: Installed) -> bool:
    """Remove an environment; False when a run uses it. The next task that needs it has it built again.

    Raises:
        OSError: when it cannot be removed; it is used by nobody then.
    """
    base = str(environment.place)
    # The lock's file stays: who waits for it, and who comes later, must meet at the same one.
    handle = os.open(f"{base}.lock", os.O_RDWR | os.O_CLOEXEC)
    try:
        if not _taken(handle):
            return False
        for path in (f"{base}.json", f"{base}.log"):
            with suppress(FileNotFoundError):
                os.unlink(path)
        remove_tree(base)
    finally:
        os.close(handle)
    return True


def remove_unused(older_than: timedelta, *, dry_run: bool = False) -> list[Installed]:
    """Remove the environments that no run was given for so long; give those that have gone, or would go."""
    before = datetime.now(UTC) - older_than
    old = [each for each in list_installed() if each.used <= before and not each.in_use]
    return [each for each in old if dry_run or remove_installed(each)]


def is_built(spec: EnvironmentSpec) -> bool:
    """Say whether an environment with all its files read is on this computer."""
    root = Path(default_root(os.environ))
    return any(root.glob(f"{spec.digest[:KEY_DIGITS]}-*.json"))


def build_here(spec: EnvironmentSpec, *, output: int | None = None) -> bool:
    """Build an environment on this computer, as a run would; say whether it was built and not there already.

    Args:
        spec: with all its files read, as `longshore.config.resolve` leaves it.
        output: descriptor to which the build prints; nowhere when nothing is said.

    Raises:
        EnvironmentBuildError: when it cannot be built; says which line failed.
    """
    order = build_order(BuildSpec(id="-/-/0", environment=spec)).message["build"]
    program = Path(longshore.remote.__file__ or "").with_name("build.py")
    with tempfile.TemporaryDirectory(prefix="longshore-") as name:
        folder = Path(name)
        (folder / "order.json").write_text(json.dumps(order), encoding="utf-8")
        argv = [sys.executable, "-I", "-S", "-X", "utf8", str(program), default_root(os.environ)]
        stdout = subprocess.DEVNULL if output is None else output
        env = clean_environment(os.environ)
        subprocess.run(argv, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=stdout, check=False)
        try:
            verdict = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise EnvironmentBuildError(f"the build of {spec.name} was killed") from None
    if "failure" in verdict:
        raise EnvironmentBuildError(f"the environment {spec.name} cannot be built: {verdict['evidence']}")
    return not verdict.get("reused", False)


def _size(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                status = os.lstat(os.path.join(place, name))
                total += status.st_size if stat.S_ISREG(status.st_mode) else 0
    return total
