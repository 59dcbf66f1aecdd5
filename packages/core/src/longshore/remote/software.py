"""Environments as a supervisor knows them: where they are, how they are built, and what an attempt needs to use one.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from longshore.remote.attempt import Attempt

__all__ = ["Software", "default_root", "note_verdict"]

_MOST_VERDICT_BYTES = 4 << 20


def default_root(environ: Mapping[str, str]) -> str:
    """Say where a user's environments are on a computer, for all runs and projects."""
    cache = environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(cache, "longshore", "environments")


class Software:
    """The environments of this machine."""

    def __init__(self, program: Callable[[], str]) -> None:
        """Know of none. ``program`` gives the path of ``builder.py``."""
        self._program = program
        self._root = default_root(os.environ)
        self._held: dict[str, int] = {}

    def configure(self, root: str | None) -> None:
        """Say where environments are; where the user's own are when nothing is said."""
        self._root = root or default_root(os.environ)

    def prepare(self, attempt: Attempt) -> list[str]:
        """Lay what a build needs into its workdir; give the words that start it.

        Raises:
            OSError: when it cannot be written.
        """
        with open(os.path.join(attempt.workdir, "order.json"), "w", encoding="utf-8") as file:
            json.dump(attempt.order["build"], file)
        return [sys.executable, "-I", "-S", "-X", "utf8", self._program(), self._root]

    def hold(self, key: str) -> None:
        """Let nobody remove an environment from now on.

        Raises:
            OSError: when it is not there (any more).
        """
        if key not in self._held:
            self._held[key] = _hold(os.path.join(self._root, key))

    def variables(self, key: str, base: Mapping[str, str]) -> dict[str, str]:
        """Give the variables by which an attempt uses an environment."""
        place = os.path.join(self._root, key)
        told = {
            "LONGSHORE_ENVIRONMENT": place,
            "PATH": os.path.join(place, "bin") + os.pathsep + base.get("PATH", os.defpath),
        }
        if os.path.exists(os.path.join(place, "pyvenv.cfg")):
            told["VIRTUAL_ENV"] = place
        return told

    def python(self, key: str) -> str:
        """Give an environment's own Python; empty when it has none."""
        path = os.path.join(self._root, key, "bin", "python")
        return path if os.path.exists(path) else ""


def _hold(place: str) -> int:
    """Take an environment's lock together with others who use it; it is held until this process ends."""
    handle = os.open(place + ".lock", os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH)
        os.stat(place + ".json")
        os.utime(handle)  # it was used
    except BaseException:
        os.close(handle)
        raise
    return handle


def note_verdict(attempt: Attempt) -> None:
    """Take over what a build has left in its folder, also when its supervisor was killed meanwhile."""
    try:
        with open(os.path.join(attempt.workdir, "verdict.json"), encoding="utf-8") as file:
            text = file.read(_MOST_VERDICT_BYTES)
        told: dict[str, Any] = json.loads(text)
    except (OSError, ValueError):
        return
    if attempt.lost:
        attempt.lost = attempt.failure = attempt.evidence = ""
        attempt.code = 1 if "failure" in told else 0
    if "failure" in told:
        attempt.fail(told["failure"], told["evidence"])
    else:
        attempt.result = text
