"""How a program of ours begins on a host: by whatever shell the user has there, then its Python, then the bundle."""

from __future__ import annotations

import hashlib
import json
import time
from functools import cache
from importlib.resources import files
from typing import Any

import paramiko
from attrs import frozen

from longshore.errors import DiskFull, ExecutorError, MachineUnreachable
from longshore.remote.bundle import build_bundle
from longshore_ssh.config import SshConfig
from longshore_ssh.connection import Connection
from longshore_ssh.errors import plain_text
from longshore_ssh.starter import MARK

__all__ = ["Begun", "NoPython", "begin"]

_MOST_NOISE = 1 << 16
_PIECE_BYTES = 1 << 15
_NEEDED = "errno,fcntl,hashlib,heapq,json,os,select,signal,socket,struct,sys,zipimport,zlib"
_CHECK = f"import {_NEEDED};sys.exit(sys.version_info<(3,8))"
# Reads the starter and executes it; written without a line end, for -c. A host that hangs up meanwhile ends it.
_LOADER = (
    "import os,sys;n=int(sys.argv[1]);s=[];"
    r"exec(\"while n:s.append(os.read(0,n)or os._exit(1));n-=len(s[-1])\");"
    r"exec(b\"\".join(s))"
)
_NAMES = " ".join(("python3", *(f"python3.{minor}" for minor in range(15, 7, -1))))
# One line without ', ! and \ at ends, so that sh, csh and fish all hand it over as it is. What is ours to say is said
# on standard input.
_SCRIPT = (
    "IFS= read -r size; IFS= read -r known; IFS= read -r wanted; "
    f'l="{_LOADER}"; '
    'if [ -n "$known" ]; then exec "$known" -I -S -X utf8 -c "$l" "$size"; fi; '
    f'for p in "$wanted" {_NAMES} /usr/bin/python3 /usr/local/bin/python3; do '
    '[ -n "$p" ] || continue; p=$(command -v "$p" 2>/dev/null) || continue; '
    f'"$p" -I -S -c "{_CHECK}" </dev/null >/dev/null 2>&1 && exec "$p" -I -S -X utf8 -c "$l" "$size"; '
    "done; "
    rf'echo "{MARK}{{\"python\": null}}"'
)
COMMAND = f"exec sh -c '{_SCRIPT}'"


class NoPython(ExecutorError):
    """The host has no Python that can execute our programs."""


@frozen(kw_only=True)
class Begun:
    """A program that has begun."""

    channel: paramiko.Channel
    rest: bytes
    """What it has said since."""
    facts: dict[str, Any]
    executable: str
    folder: str
    """Where all that is ours lies on the host."""
    place: str
    """The path below it that was asked for."""


def begin(
    connection: Connection, config: SshConfig, program: str, place: str, *, known: str = "", seconds: float
) -> Begun:
    """Start a program of the bundle; the bundle is sent when it is not there.

    Args:
        connection: the way.
        config: says where on the host, and with which Python.
        program: ``link``, ``exchange``, or ``facts``, which ends at once.
        place: the path below our folder that it serves.
        known: a Python that is known to do.
        seconds: how long that may take.

    Raises:
        MachineUnreachable: when the host hangs up, or takes too long.
        NoPython: when it has none that would do.
        DiskFull: when there is no room for the bundle.
        ExecutorError: when we cannot have a folder there, or the login executes no commands.
    """
    channel = connection.execute(COMMAND, seconds=seconds)
    try:
        return _Beginning(channel, connection.target.name, config, seconds).go(program, place, known)
    except (paramiko.SSHException, TimeoutError, OSError) as error:
        channel.close()
        raise MachineUnreachable(f"{connection.target.name} hung up while a program was being started") from error
    except BaseException:
        channel.close()
        raise


class _Beginning:
    def __init__(self, channel: paramiko.Channel, name: str, config: SshConfig, seconds: float) -> None:
        self._channel = channel
        self._name = name
        self._config = config
        self._deadline = time.monotonic() + seconds
        self._rest = b""

    def go(self, program: str, place: str, known: str) -> Begun:
        bundle, digest = _bundle()
        order = json.dumps(
            {
                "folder": self._config.folder,
                "digest": digest,
                "size": len(bundle),
                "program": program,
                "place": place,
            }
        ).encode("ascii")
        starter = _starter()
        head = f"{len(starter)}\n{known}\n{self._config.python}\n".encode()
        self._send(head + starter + b"%08d" % len(order) + order)
        told = self._hear()
        if told.get("need"):
            self._send(bundle)
            told = self._hear()
        if "problem" in told:
            raise self._problem(told)
        if "facts" not in told:
            wanted = f" {self._config.python} is none, and" if self._config.python else ""
            raise NoPython(f"{self._name}:{wanted} it has no python3 of version 3.8 or later")
        self._channel.settimeout(None)
        return Begun(
            channel=self._channel,
            rest=self._rest,
            facts=told["facts"],
            executable=told["executable"],
            folder=told["folder"],
            place=told["place"],
        )

    def _problem(self, told: dict[str, Any]) -> Exception:
        text = plain_text(str(told["problem"]))
        if told["kind"] == "full":
            return DiskFull(f"{self._name}: the disk is full: {text}")
        return ExecutorError(
            f"{self._name}: we cannot have a folder there: {text}; name another one by the pool's option folder"
        )

    def _send(self, content: bytes) -> None:
        try:
            for start in range(0, len(content), _PIECE_BYTES):
                self._set_timeout()
                self._channel.sendall(content[start : start + _PIECE_BYTES])
        except TimeoutError:
            raise
        except OSError:
            return  # it has ended already; what it has said tells why

    def _set_timeout(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._channel.settimeout(left)

    def _hear(self) -> dict[str, Any]:
        """Wait for a line of ours; what shells print before it means nothing."""
        noise = b""
        while True:
            line, end, self._rest = self._rest.partition(b"\n")
            mark = line.rfind(MARK.encode())
            if end and mark >= 0:
                try:
                    return dict(json.loads(line[mark + len(MARK) :]))
                except (ValueError, TypeError):
                    pass  # somebody else says the same word
            if end:
                noise += line + b"\n"
                continue
            self._rest = line
            self._set_timeout()
            content = self._channel.recv(_PIECE_BYTES)
            self._rest += content
            if not content or len(noise) + len(self._rest) > _MOST_NOISE:
                raise self._silent(noise + self._rest)

    def _silent(self, noise: bytes) -> Exception:
        if not noise and not self._channel.exit_status_ready():
            return MachineUnreachable(f"{self._name} hung up while a program was being started")
        said = plain_text(noise.decode("utf-8", "replace")) or "nothing"
        return ExecutorError(
            f"{self._name} lets us in, but executes no commands by sh; it says: {said}. "
            "Is there a forced command for our key, or a login shell that takes none?"
        )


@cache
def _bundle() -> tuple[bytes, str]:
    content = build_bundle()
    return content, hashlib.sha256(content).hexdigest()


@cache
def _starter() -> bytes:
    return files("longshore_ssh").joinpath("starter.py").read_bytes()
