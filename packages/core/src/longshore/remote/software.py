"""Environments as a supervisor knows them: where they are, how they are built, and what an attempt needs to use one.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import sys

from longshore.remote.containers import container_name, removing, wrapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from longshore.remote.attempt import Attempt

__all__ = ["Software", "default_root", "note_verdict"]

_MOST_VERDICT_BYTES = 4 << 20
_USE = ("paths", "env", "engine", "image", "image_path")


def default_root(environ: Mapping[str, str]) -> str:
    """Say where a user's environments are on a computer, for all runs and projects."""
    cache = environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(cache, "longshore", "environments")


class Software:
    """The environments of this machine."""

    def __init__(self, program: list[str]) -> None:
        """Know of none. ``program`` are the words behind a Python that begin a build."""
        self._program = program
        self._root = default_root(os.environ)
        self._held: dict[str, dict[str, Any]] = {}

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
        return [sys.executable, "-I", "-S", "-X", "utf8", *self._program, self._root]

    def hold(self, key: str) -> None:
        """Let nobody remove an environment from now on.

        Raises:
            OSError: when it is not there (any more), or nobody can read how it is used.
        """
        if key not in self._held:
            self._held[key] = _hold(os.path.join(self._root, key))

    def variables(self, key: str, base: Mapping[str, str]) -> dict[str, str]:
        """Give the variables by which an attempt uses an environment that is held."""
        use = self._held[key]
        search = use["image_path"] or base.get("PATH", os.defpath)
        return {
            "LONGSHORE_ENVIRONMENT": os.path.join(self._root, key),
            **use["env"],
            "PATH": os.pathsep.join([*use["paths"], search]),
        }

    def python(self, key: str) -> str:
        """Give an environment's own Python; empty when it has none."""
        found = (os.path.join(folder, "python") for folder in self._held[key]["paths"])
        return next((path for path in found if os.path.exists(path)), "")

    def has_image(self, key: str) -> bool:
        """Say whether what uses an environment is executed in an image."""
        return bool(self._held[key]["image"])

    def into_image(self, attempt: Attempt, argv: Sequence[str], env: Mapping[str, str]) -> list[str]:
        """Give the words that execute a program in the image of an attempt's environment; note how it is removed.

        Only the workdir is there, the environment, and the script that is to be executed.
        """
        key = attempt.order["environment"]
        use, place, name = self._held[key], os.path.join(self._root, key), container_name(attempt.mark)
        told = {name: env[name] for name in ("PATH", *use["env"])}
        seen = [place, *(word for word in argv[1:2] if argv[0] == "sh" and os.path.isabs(word))]
        attempt.container = removing(use["engine"], name, env)
        return wrapped(
            use["engine"], use["image"], argv, env, name=name, workdir=attempt.workdir, readable=seen, own=told
        )


def _hold(place: str) -> dict[str, Any]:
    """Take an environment's lock together with others who use it, until this process ends; say how it is used."""
    handle = os.open(place + ".lock", os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH)
        use = _use(place + ".json")
        os.utime(handle)  # it was used
    except BaseException:
        os.close(handle)
        raise
    return use


def _use(path: str) -> dict[str, Any]:
    """Read how an environment is used. What another version has written counts as not there: it is built anew."""
    with open(path, encoding="utf-8") as file:
        try:
            told = json.load(file)
            return {name: told[name] for name in _USE}
        except (KeyError, TypeError, ValueError) as error:
            raise FileNotFoundError(errno.ENOENT, "it was built by another version", path) from error


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
