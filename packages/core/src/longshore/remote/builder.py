"""Builds an environment on this machine: a program, ``builder.py <root>``, in a folder with ``order.json`` in it.

Below ``root`` an environment has a key, made of the digest of all that was asked for and of the Python's version, and::

    <key>/       what was built; bin/ comes first in the PATH of those who use it
    <key>.json   written last: without it, whatever is in the folder is half built, and is removed
    <key>.lock   held alone while it is built or removed, and together by those who use it
    <key>.log    what the last build has printed

Processes that a build starts hold the lock too: as long as one of them lives, nobody else builds there. What has been
found or built is told in ``verdict.json``.

It imports nothing of Longshore. Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional

    Order = Dict[str, Any]

__all__ = ["BuildProblem", "Builder", "main"]

_TAIL_LINES = 30
_TAIL_BYTES = 4000
_MOST_LOCK_BYTES = 1 << 20
_SHELLS = ("sh", "dash", "ash", "ksh", "zsh")
# Tells which line is begun, and not what stands in it when variables are filled in: that may be secret. By a descriptor
# of its own, so that no redirection of the script catches it. What it prints is read by `_Relay`.
_TRACE = 'exec 199>&2; set -eT; trap \'printf "\\037%s\\037\\n" "$LINENO" >&199\' DEBUG; . "$0"'
_TRACED = re.compile("\x1f(\\d+)\x1f\n")
_FULL = ("no space left on device", "disk quota exceeded")
_FULL_ERRNOS = (errno.ENOSPC, errno.EDQUOT)
_FROM_LINE = re.compile(r"requirements\.txt \(line (\d+)\)")
_PROJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SEPARATORS = re.compile(r"[-_.]+")


class BuildProblem(Exception):
    """The environment cannot be built, in words."""


def _say(text: str) -> None:
    os.write(1, (text + "\n").encode("utf-8", "surrogateescape"))


class _Relay:
    """Passes on what processes print, to the log of the build too, and keeps the end of it."""

    def __init__(self, log: str) -> None:
        self._log = open(log, "wb")  # noqa: SIM115  it is open as long as the build lasts
        self.tail: List[str] = []
        self.line = 0
        """The line of the script that was begun last; 0 where the shell does not tell."""
        self.script: List[str] = []

    def say(self, text: str) -> None:
        """Print something of our own."""
        self._write((text + "\n").encode("utf-8", "surrogateescape"))

    def follow(self, stream: Any) -> None:
        """Pass on everything until the stream ends."""
        self.tail, self.line = [], 0
        for printed in stream:
            line, text = printed, printed.decode("utf-8", "replace")
            traced = _TRACED.search(text)
            if traced:
                line, text = line[: line.index(b"\x1f")], text[: traced.start()]
                self._begin(int(traced[1]))
            if text:
                self.tail = [*self.tail[1 - _TAIL_LINES :], text.rstrip("\n")]
                self._write(line)

    def _begin(self, line: int) -> None:
        if line != self.line and 0 < line <= len(self.script):
            self.line = line
            self.say("+ %d: %s" % (line, self.script[line - 1].strip()))

    def _write(self, content: bytes) -> None:
        os.write(1, content)
        self._log.write(content)
        self._log.flush()


class Builder:
    """One build."""

    def __init__(self, root: str, order: Order) -> None:
        self._root = root
        self._order = order
        asked = order["python"].split(".") if order["python"] else [str(part) for part in sys.version_info[:2]]
        self.key = "%s-py%s" % (order["digest"][:32], ".".join(asked[:2]))
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
            _say("the environment is here already: %s" % self.place)
            return {**found, "key": self.key, "reused": True}
        made = self._make()
        fcntl.flock(self._lock, fcntl.LOCK_UN)
        return {**made, "key": self.key}

    def _take(self, how: int, why: str) -> None:
        try:
            fcntl.flock(self._lock, how | fcntl.LOCK_NB)
        except BlockingIOError:
            _say(why)
            fcntl.flock(self._lock, how)

    def _found(self) -> Optional[dict[str, Any]]:
        """Give what is known of a whole environment whose Python is still there; None when there is none."""
        try:
            with open(self.place + ".json", encoding="utf-8") as file:
                told = json.load(file)
            whole = os.path.isdir(self.place) and (not told["python"] or os.path.exists(self.place + "/bin/python"))
            return {"lock": told["lock"], "python": told["python"]} if whole else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _make(self) -> dict[str, Any]:
        for path in (self.place + ".json", self.place):
            _remove(path)
        os.mkdir(self.place, 0o700)
        work = _Work(self._order, self.place, self._lock)
        work.script("before")
        if self._order["own_python"]:
            work.make_venv()
            work.install()
        work.script("after")
        told = {"lock": "", "python": ""}
        if self._order["own_python"]:
            told = {"lock": work.freeze(), "python": work.version()}
        os.sync()
        fresh = self.place + ".json.new"
        with open(fresh, "w", encoding="utf-8") as file:
            json.dump({**told, "name": self._order["name"], "built": time.time()}, file)
            file.flush()
            os.fsync(file.fileno())
        os.rename(fresh, self.place + ".json")
        return told


class _Work:
    """The steps of a build."""

    def __init__(self, order: Order, place: str, lock: int) -> None:
        self._order = order
        self._place = place
        self._lock = lock
        self._relay = _Relay(place + ".log")
        self._python = os.path.join(place, "bin", "python")
        env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
        self._uv = shutil.which("uv", path=env.get("PATH"))
        self._env = {
            **env,
            "PATH": os.path.join(place, "bin") + os.pathsep + env.get("PATH", os.defpath),
            "LONGSHORE_ENVIRONMENT": place,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_INPUT": "1",
            "PYTHONNOUSERSITE": "1",
            "UV_NO_PROGRESS": "1",
        }
        self._env.pop("VIRTUAL_ENV", None)

    # --- the steps

    def script(self, step: str) -> None:
        """Execute a script, if there is one, up to its first command that fails."""
        if not self._order[step]:
            return
        name, text = self._order[step]
        path = os.path.abspath(step)
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text if text.endswith("\n") else text + "\n")
        self._relay.say("%s: %s" % (step, name) if name != step else "%s:" % step)
        self._relay.script = text.splitlines()
        code = self._run(_interpreter(text, path, self._env["PATH"]))
        if code:
            line = self._relay.line
            shown = " line %d: %s" % (line, self._relay.script[line - 1].strip()) if line else ""
            raise BuildProblem(self._words(name + shown, code))

    def make_venv(self) -> None:
        """Make the environment's Python."""
        asked = self._order["python"]
        if self._uv:
            argv = [self._uv, "venv", "--quiet", "--allow-existing", "--python", asked or sys.executable, self._place]
        else:
            argv = [self._find_python(asked), "-m", "venv", self._place]
        self._relay.say("Python: %s" % (asked or sys.executable))
        code = self._run(argv)
        if code:
            hint = "" if self._uv else "; install uv, or python3-venv of the system"
            raise BuildProblem(self._words("no virtual environment could be made" + hint, code))
        self._env["VIRTUAL_ENV"] = self._place

    def _find_python(self, asked: str) -> str:
        own = ".".join(str(part) for part in sys.version_info[:3])
        if not asked or (own + ".").startswith(asked + "."):
            return sys.executable
        found = shutil.which("python" + ".".join(asked.split(".")[:2]), path=os.environ.get("PATH"))
        if found is None:
            raise BuildProblem(
                "python: there is no Python %s here (this one is %s); install it, or uv, which brings it" % (asked, own)
            )
        return found

    def install(self) -> None:
        """Let pip, or uv, install what is required."""
        wanted, bounds = self._order["pip"], self._order["constraints"]
        if not wanted:
            return
        self._relay.say("pip:")
        argv = [self._python, "-m", "pip", "install"]
        if self._uv:
            argv = [self._uv, "pip", "install", "--python", self._python]
        argv += ["-r", _written("requirements.txt", wanted)]
        if bounds:
            argv += ["-c", _written("constraints.txt", bounds)]
        code = self._run(argv)
        if code:
            raise BuildProblem(self._words(self._culprit(wanted) or "pip", code))

    def _culprit(self, wanted: list[list[str]]) -> str:
        """Name the requirement that the installer complains about, if it says so."""
        for line in reversed(self._relay.tail):  # what matters comes last
            numbers = [int(number) for number in _FROM_LINE.findall(line)]
            found = [wanted[number - 1] for number in numbers if 0 < number <= len(wanted)]
            words = {_normal(word) for word in _PROJECT.findall(line)}
            found += [each for each in wanted if _normal(_name(each[0])) in words]
            if found:
                return "%s: %s" % (found[0][1], found[0][0])
        return ""

    def freeze(self) -> str:
        """Give what is installed, as lines of a requirements file."""
        argv = [self._python, "-m", "pip", "freeze", "--all"]
        if self._uv:
            argv = [self._uv, "pip", "freeze", "--python", self._python]
        result = subprocess.run(argv, env=self._env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        return result.stdout[:_MOST_LOCK_BYTES].decode("utf-8", "replace")

    def version(self) -> str:
        """Give the version of the environment's Python."""
        argv = [self._python, "-I", "-S", "-c", "import sys; print('.'.join(map(str, sys.version_info[:3])))"]
        return subprocess.run(argv, env=self._env, stdout=subprocess.PIPE, check=True).stdout.decode().strip()

    # --- how

    def _run(self, argv: list[str]) -> int:
        try:
            process = subprocess.Popen(
                argv,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(self._lock,),
            )
        except OSError as error:
            self._relay.tail = ["%s: %s" % (argv[0], error.strerror)]
            return 127
        with process:
            self._relay.follow(process.stdout)
        return process.returncode

    def _words(self, what: str, code: int) -> str:
        ended = "exit code %d" % code if code >= 0 else "signal %d" % -code
        tail = "\n".join(self._relay.tail)[-_TAIL_BYTES:]
        return "%s\n%s\n%s" % (what, ended, tail) if tail else "%s\n%s" % (what, ended)


def _interpreter(text: str, path: str, search: str) -> list[str]:
    """Say how a script is executed: by what its first line names, else by bash, or by sh where there is none. Of shells
    only bash can tell at which line it is.
    """
    first = text.split("\n", 1)[0]
    words = shlex.split(first[2:]) if first.startswith("#!") else [shutil.which("bash", path=search) or "/bin/sh"]
    names = [os.path.basename(word) for word in words]
    if "bash" in names:
        return [*words, "-c", _TRACE, path]
    return [*words, "-e", path] if any(name in _SHELLS for name in names) else [*words, path]


def _written(name: str, rows: list[list[str]]) -> str:
    with open(name, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write("".join(text + "\n" for text, _ in rows))
    return os.path.abspath(name)


def _name(requirement: str) -> str:
    found = _PROJECT.match(requirement)
    return found[0] if found else ""


def _normal(name: str) -> str:
    return _SEPARATORS.sub("-", name).lower()


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
        _say("failed: " + "\n".join(verdict["evidence"].splitlines()[:2]))
    return 1 if "failure" in verdict else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
