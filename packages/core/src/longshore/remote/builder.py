"""Builds an environment on this machine: ``build <root>``, in a folder with ``order.json`` in it.

Below ``root`` an environment has a key, made of the digest of all that was asked for and of the Python's version, and::

    <key>/       what was built; bin/ comes first in the PATH of those who use it
    <key>.json   written last: without it, whatever is in the folder is half built, and is removed
    <key>.lock   held alone while it is built or removed, and together by those who use it
    <key>.log    what the last build has printed

``<key>.json`` says how it is used: ``paths`` (folders whose programs are found first), ``env`` (variables), and, when
tasks are executed in an image, ``engine``, ``image`` and ``image_path``. Beside ``root`` is ``tools``, with programs
that builds have fetched.

Processes that a build starts hold the lock too: as long as one of them lives, nobody else builds there. What has been
found or built is told in ``verdict.json``.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shlex
import shutil
import subprocess
import sys
import time

from longshore.remote.build_packages import install_apt, install_conda, install_julia, take_image
from longshore.remote.build_python import freeze, install_pip, version
from longshore.remote.build_relay import BuildProblem, say
from longshore.remote.build_work import Work, written

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Optional

    Order = Dict[str, Any]

__all__ = ["KEY_DIGITS", "Builder", "main"]

KEY_DIGITS = 32
"""So much of the digest is part of a key."""
_SHELLS = ("sh", "dash", "ash", "ksh", "zsh")
# Tells which line is begun, and not what stands in it when variables are filled in: that may be secret. By a descriptor
# of its own, so that no redirection of the script catches it. What it prints is read by `Relay`.
_TRACE = 'exec 199>&2; set -eT; trap \'printf "\\037%s\\037\\n" "$LINENO" >&199\' DEBUG; . "$0"'
_FULL = ("no space left on device", "disk quota exceeded")
_FULL_ERRNOS = (errno.ENOSPC, errno.EDQUOT)


class Builder:
    """One build."""

    def __init__(self, root: str, order: Order) -> None:
        self._root = root
        self._order = order
        asked = order["python"].split(".") if order["python"] else [str(part) for part in sys.version_info[:2]]
        self.key = "%s-py%s" % (order["digest"][:KEY_DIGITS], ".".join(asked[:2]))
        self.place = os.path.join(root, self.key)
        self._lock = -1

    def build(self) -> dict[str, Any]:
        """Find the environment, or build it; say how it is known.

        Raises:
            BuildProblem: when it cannot be built.
            OSError: when the disk does not do what it should.
        """
        os.makedirs(self._root, mode=0o700, exist_ok=True)
        self._lock = os.open(self.place + ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._take(fcntl.LOCK_SH, "waits for another build of the same environment")
        found = self._found()
        if found is None:
            fcntl.flock(self._lock, fcntl.LOCK_UN)
            self._take(fcntl.LOCK_EX, "waits until nobody uses what is to be built anew")
            found = self._found()
        if found is not None:
            say("the environment is here already: %s" % self.place)
            return {**found, "key": self.key, "reused": True}
        made = self._make()
        fcntl.flock(self._lock, fcntl.LOCK_UN)
        return {**made, "key": self.key}

    def _take(self, how: int, why: str) -> None:
        try:
            fcntl.flock(self._lock, how | fcntl.LOCK_NB)
        except BlockingIOError:
            say(why)
            fcntl.flock(self._lock, how)

    def _found(self) -> Optional[dict[str, Any]]:
        """Give what is known of a whole environment whose Python is still there; None when there is none."""
        try:
            with open(self.place + ".json", encoding="utf-8") as file:
                told = json.load(file)
            verdict = {name: told[name] for name in ("lock", "locks", "python")}
            # In an image it is the image's own, which nobody here sees.
            gone = told["python"] and not told["image"] and not any(map(_has_python, told["paths"]))
            return verdict if os.path.isdir(self.place) and not gone else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _make(self) -> dict[str, Any]:
        for path in (self.place + ".json", self.place):
            _remove(path)
        os.mkdir(self.place, 0o700)
        work = Work(self._root, self._order, self.place, self._lock)
        locks = take_image(work)
        _script(work, "before")
        for step in (install_apt, install_conda):
            locks.update(step(work))
        install_pip(work)
        locks.update(install_julia(work))
        _script(work, "after")
        verdict = {"lock": freeze(work), "locks": locks, "python": version(work)}
        use = {"paths": work.paths, "env": work.told}
        use.update(engine=work.engine, image=work.image, image_path=work.image_path)
        os.sync()
        fresh = self.place + ".json.new"
        with open(fresh, "w", encoding="utf-8") as file:
            json.dump({**verdict, **use, "name": self._order["name"], "built": time.time()}, file)
            file.flush()
            os.fsync(file.fileno())
        os.rename(fresh, self.place + ".json")
        return verdict


def _has_python(folder: str) -> bool:
    return os.path.exists(os.path.join(folder, "python"))


def _script(work: Work, step: str) -> None:
    """Execute a script, if there is one, up to its first command that fails."""
    if not work.order[step]:
        return
    name, text = work.order[step]
    path = written(step, text if text.endswith("\n") else text + "\n")
    work.relay.say("%s: %s" % (step, name) if name != step else "%s:" % step)
    work.relay.script = text.splitlines()
    code = work.run(_interpreter(work, text, path))
    if code:
        line = work.relay.line
        shown = " line %d: %s" % (line, work.relay.script[line - 1].strip()) if line else ""
        raise work.failed(name + shown, code)


def _interpreter(work: Work, text: str, path: str) -> list[str]:
    """Say how a script is executed: by what its first line names, else by bash, or by sh where there is none. Of shells
    only bash can tell at which line it is.
    """
    first = text.split("\n", 1)[0]
    words = shlex.split(first[2:]) if first.startswith("#!") else [_shell(work)]
    names = [os.path.basename(word) for word in words]
    if "bash" in names:
        return [*words, "-c", _TRACE, path]
    return [*words, "-e", path] if any(name in _SHELLS for name in names) else [*words, path]


def _shell(work: Work) -> str:
    if work.image:
        return "bash" if work.ask(["sh", "-c", "command -v bash"]) else "sh"
    return work.find("bash") or "/bin/sh"


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def _verdict(root: str, order: Order) -> dict[str, Any]:
    try:
        return Builder(root, order).build()
    except BuildProblem as error:
        words = str(error)
    except (OSError, subprocess.SubprocessError, shutil.Error) as error:
        words = "%s: %s" % (getattr(error, "filename", None) or root, getattr(error, "strerror", None) or error)
        if getattr(error, "errno", None) in _FULL_ERRNOS:
            return {"failure": "disk full", "evidence": words}
    full = any(each in words.lower() for each in _FULL)
    return {"failure": "disk full" if full else "environment", "evidence": words}


def main(root: str) -> int:
    """Carry out the order that lies in this folder; leave the verdict beside it."""
    with open("order.json", encoding="utf-8") as file:
        order = json.load(file)
    verdict = _verdict(root, order)
    with open("verdict.json.new", "w", encoding="utf-8") as file:
        json.dump(verdict, file)
    os.rename("verdict.json.new", "verdict.json")
    if "failure" in verdict:
        # All but what it has printed itself, which is there already.
        say("failed: " + "\n".join(verdict["evidence"].splitlines()[:2]))
    return 1 if "failure" in verdict else 0
