"""How a program of ours begins on a host: by whatever shell the user has there, then by its Python, or without one."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import paramiko
from attrs import frozen

from longshore.errors import MachineUnreachable
from longshore.remote.beginning import CHECK, LOADER, NAMES, bundle, order, starter
from longshore.remote.shim_session import shim_program
from longshore.remote.starter import MARK
from longshore_ssh.config import SshConfig
from longshore_ssh.connection import Connection
from longshore_ssh.speech import Speech

__all__ = ["SHIM", "Begun", "begin"]

_Begun = TypeVar("_Begun", "Begun", "Begun | None")

SHIM = "sh"
"""Stands for the Python of a host that has none: there the shim does all that there is to do."""

_NAMES = " ".join(NAMES)
# One line without ', ! and \ at ends, so that sh, csh and fish all hand it over as it is. What is ours to say is said
# on standard input.
_SCRIPT = (
    "IFS= read -r size; IFS= read -r known; IFS= read -r wanted; "
    f'l="{LOADER}"; '
    'if [ -n "$known" ]; then exec "$known" -I -S -X utf8 -c "$l" "$size"; fi; '
    f'for p in "$wanted" {_NAMES}; do '
    '[ -n "$p" ] || continue; p=$(command -v "$p" 2>/dev/null) || continue; '
    f'"$p" -I -S -c "{CHECK}" </dev/null >/dev/null 2>&1 && exec "$p" -I -S -X utf8 -c "$l" "$size"; '
    "done; "
    rf'echo "{MARK}{{\"python\": null}}"'
)
_COMMAND = f"exec sh -c '{_SCRIPT}'"
# The same without any Python; of the same kind, and with nothing but what the shim needs anyhow.
_FAILED = rf'echo "{MARK}{{\"problem\": \"$f: it cannot be written\", \"kind\": \"folder\"}}"; exit'
_BARE_SCRIPT = (
    "IFS= read -r f; IFS= read -r digest; IFS= read -r size; IFS= read -r program; IFS= read -r place; umask 077; "
    'case $f in "~") f=$HOME;; "~/"*) f=$HOME/${f#??};; esac; '
    f'mkdir -p "$f/bin" && chmod 700 "$f" && cd "$f" || {{ {_FAILED}; }}; f=$(pwd); '
    f'[ -f "bin/$digest.sh" ] || {{ echo "{MARK}{{\\"need\\": true}}"; '
    'head -c "$size" >"bin/$$" && [ "$(wc -c <"bin/$$")" -eq "$size" ] && mv "bin/$$" "bin/$digest.sh"; } '
    f'|| {{ rm -f "bin/$$"; {_FAILED}; }}; '
    "n=$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN); "
    'm=$(sed -n "s/^MemTotal: *\\([0-9]*\\) kB/\\1/p" /proc/meminfo); '
    rf'echo "{MARK}{{\"facts\": {{\"cpus\": ${{n:-1}}, \"memory\": ${{m:-0}}000, \"arch\": \"$(uname -m)\"}}}}"; '
    'echo "$f"; [ "$program" = facts ] || exec sh "bin/$digest.sh" "$program" "$f/$place" 2>/dev/null'
)
_BARE_COMMAND = f"exec sh -c '{_BARE_SCRIPT}'"


@frozen(kw_only=True)
class Begun:
    """A program that has begun."""

    channel: paramiko.Channel
    rest: bytes
    """What it has said since."""
    facts: dict[str, Any]
    executable: str
    """The host's Python, or `SHIM`."""
    place: str
    """Where the program is, as the host names it."""


def begin(
    connection: Connection, config: SshConfig, program: str, place: str, *, known: str = "", seconds: float
) -> Begun:
    """Start a program; the bundle or the shim that it is part of is sent when it is not there.

    Args:
        connection: the way.
        config: says where on the host, and with which Python.
        program: ``link``, ``exchange``, or ``facts``, which ends at once.
        place: the path below our folder that it serves.
        known: what `Begun.executable` was before; empty to look for a Python.
        seconds: how long that may take.

    Raises:
        MachineUnreachable: when the host hangs up, or takes too long.
        DiskFull: when there is no room for the bundle.
        ExecutorError: when we cannot have a folder there, or the login executes no commands.
    """
    if known != SHIM:

        def talk(speech: Speech) -> Begun | None:
            return _by_python(speech, config, program, place, known)

        begun = _begin(connection, _COMMAND, seconds, talk)
        if begun is not None:
            return begun
    return _begin(connection, _BARE_COMMAND, seconds, lambda speech: _bare(speech, config, program, place))


def _begin(connection: Connection, command: str, seconds: float, talk: Callable[[Speech], _Begun]) -> _Begun:
    channel = connection.execute(command, seconds=seconds)
    begun = None
    try:
        begun = talk(Speech(channel, connection.target.name, seconds))
        if begun is None:
            connection.end(channel, seconds=seconds)
        channel.settimeout(None)
        return begun
    except (paramiko.SSHException, TimeoutError, OSError) as error:
        raise MachineUnreachable(f"{connection.target.name} hung up while a program was being started") from error
    finally:
        if begun is None:
            channel.close()


def _by_python(speech: Speech, config: SshConfig, program: str, place: str, known: str) -> Begun | None:
    """Begin with the host's Python; None when it has none that would do."""
    head = f"{len(starter())}\n{known}\n{config.python}\n".encode()
    speech.send(head + order(config.folder, program, place))
    told = speech.hear()
    if told.get("need"):
        speech.send(bundle()[0])
        told = speech.hear()
    if "facts" not in told:
        return None
    return Begun(
        channel=speech.channel,
        rest=speech.rest,
        facts=told["facts"],
        executable=told["executable"],
        place=told["place"],
    )


def _bare(speech: Speech, config: SshConfig, program: str, place: str) -> Begun:
    """Begin with nothing but a shell."""
    shim, digest = _shim()
    speech.send(
        "\n".join([config.folder, digest, str(len(shim)), program, place, ""]).encode("utf-8", "surrogateescape")
    )
    told = speech.hear()
    if told.get("need"):
        speech.send(shim)
        told = speech.hear()
    folder = os.fsdecode(speech.line())
    return Begun(
        channel=speech.channel,
        rest=speech.rest,
        facts=told["facts"],
        executable=SHIM,
        place=f"{folder}/{place}",
    )


@cache
def _shim() -> tuple[bytes, str]:
    content = shim_program()
    return content, hashlib.sha256(content).hexdigest()
