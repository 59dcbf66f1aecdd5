"""What ``longshore hosts check`` finds out of one host: each step needs what the one before has proved."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import paramiko

from longshore.errors import DiskFull, ExecutorError, LongshoreError, MachineUnreachable
from longshore.model.machine import Machine
from longshore.model.quantity import format_size
from longshore.model.resources import Resources
from longshore.plugin.hosts import Finding, Soundness
from longshore_ssh.config import HostConfig, SshConfig
from longshore_ssh.connection import Connection
from longshore_ssh.errors import LoginRefused, NotTheHost, plain_text, translated
from longshore_ssh.identity import fingerprint
from longshore_ssh.programs import SHIM, begin
from longshore_ssh.targets import Target, target_of

__all__ = ["examine"]

_MOST_SESSIONS = 10
"""What a server allows on one connection as it comes; more are not asked for."""
_ANSWERS = 5
"""So many are timed, and the quickest counts."""
_MOST_HEARD = 1 << 16
_CLOCK_SLACK_SECONDS = 5.0
_LITTLE_ROOM = 5 * 2**30
_NO_ROOM = 200 * 2**20
_MARK = "longshore-check:"
# Handed over by whatever login shell there is; the folder and the rest come on standard input.
_COMMAND = "exec sh -c 'IFS= read -r f; eval \"$(cat)\"'"
_QUESTIONS = rf"""
say() {{ printf '%s %s %s\n' '{_MARK}' "$1" "$2"; }}
say sh yes
say clock "$(date +%s)"
p=$(command -v python3) && say python "$(python3 -V 2>&1) at $p"
case $f in "~") f=$HOME;; "~/"*) f=$HOME/${{f#??}};; esac
umask 077
why=$(mkdir -p -- "$f" 2>&1) || {{ say refused "$why"; exit; }}
cd -- "$f" && t=check.$$ && trap 'rm -f "$t"' EXIT || {{ say refused 'nobody may enter it'; exit; }}
say disk "$(df -Pk . | tail -n 1)"
why=$( {{ printf '#!/bin/sh\nexit 0\n' >"$t"; }} 2>&1 ) || {{ say refused "$why"; exit; }}
say writable "$(pwd)"
chmod 700 "$t" && "./$t" 2>/dev/null && say executable yes
"""


def examine(host: HostConfig, config: SshConfig, start: Callable[[Machine], None]) -> Sequence[Finding]:
    """Look at a host.

    Args:
        host: one of the pool's.
        config: the pool's options.
        start: starts a supervisor on a machine and lets it leave, or raises why that cannot be.
    """
    return list(_steps(host, config, start))


def _ok(name: str, says: str) -> Finding:
    return Finding(name=name, state=Soundness.OK, says=says)


def _warning(name: str, says: str, remedy: str) -> Finding:
    return Finding(name=name, state=Soundness.WARNING, says=says, remedy=remedy)


def _bad(name: str, says: str, remedy: str) -> Finding:
    return Finding(name=name, state=Soundness.BAD, says=says, remedy=remedy)


def _steps(host: HostConfig, config: SshConfig, start: Callable[[Machine], None]) -> Iterator[Finding]:
    seconds = config.connect_timeout.total_seconds()
    try:
        target = target_of(host, config)
        connection = Connection.open(target, seconds=seconds)
    except LongshoreError as error:
        yield from _shut_out(host, config, error)
        return
    try:
        yield _ok("address", _way(target, config))
        yield _ok("network", f"it answers on port {target.port}")
        yield _ok("host key", f"{fingerprint(connection.host_key)} ({connection.host_key.get_name()}), as it should be")
        yield _ok("login", f"{target.user} is let in by {connection.let_in_by}")
        yield from _inside(connection, host, config, start)
    except LongshoreError as error:
        yield _bad("network", str(error), "see what its server logs, and whether it drops connections that idle")
    finally:
        connection.close()


def _way(target: Target, config: SshConfig) -> str:
    hops = "".join(f", through {hop.user}@{hop.host}:{hop.port}" for hop in target.jump)
    proxy = ", through its ProxyCommand" if target.proxy_command else ""
    applies = config.ssh_config and Path(config.ssh_config).expanduser().exists()
    source = f"; {config.ssh_config} applies" if applies else "; no ssh_config applies"
    return f"{target.user}@{target.host}:{target.port}{hops}{proxy}{source}"


def _shut_out(host: HostConfig, config: SshConfig, error: LongshoreError) -> Iterator[Finding]:
    """Say how far we came, and what the obstacle is."""
    known = not isinstance(error, ExecutorError) or isinstance(error, MachineUnreachable | NotTheHost | LoginRefused)
    if not known:
        remedy = f"write it as ssh does, or name it in {config.ssh_config or 'the pool'} or DNS"
        yield _bad("address", str(error), remedy)
        return
    target = target_of(host, config)
    yield _ok("address", _way(target, config))
    where = f"-p {target.port} {shlex.quote(f'{target.user}@{target.host}')}"
    if isinstance(error, NotTheHost):
        yield _ok("network", f"it answers on port {target.port}")
        yield _bad("host key", " ".join(error.says.split()), error.remedy or "rent another one; nothing else is safe")
    elif isinstance(error, LoginRefused):
        yield _ok("network", f"it answers on port {target.port}")
        yield _ok("host key", "is as it should be")
        remedy = "see which ways of logging in its server allows" if target.password else f"ssh-copy-id {where}"
        yield _bad("login", str(error), remedy)
    else:
        yield _bad("network", str(error), f"is it on, and is that its port? `ssh -v {where}` shows how far one comes")


def _inside(
    connection: Connection, host: HostConfig, config: SshConfig, start: Callable[[Machine], None]
) -> Iterator[Finding]:
    seconds = config.connect_timeout.total_seconds()
    yield _sessions(connection, seconds)
    began = time.time()
    answers, noise = _ask(connection, config.folder, seconds)
    shell = _shell(answers, noise)
    yield shell
    if shell.state is Soundness.BAD:
        return
    yield _clock(answers, began, time.time())
    yield from _folder(answers, config)
    if "writable" not in answers:
        return
    try:
        begun = begin(connection, config, "facts", "runs", seconds=seconds)
    except MachineUnreachable:
        raise
    except (ExecutorError, DiskFull) as error:
        yield _bad("folder", str(error), "free some space there, or name another place by the pool's option folder")
        return
    connection.end(begun.channel, seconds=seconds)
    yield _python(begun.executable, begun.facts, answers)
    yield _computer(host, begun.facts)
    yield _supervisor(host, config, begun.facts, start)


def _sessions(connection: Connection, seconds: float) -> Finding:
    """Count how many sessions one connection may have, and time how long the host takes to answer."""
    opened: list[paramiko.Channel] = []
    problem = ""
    try:
        while len(opened) < _MOST_SESSIONS:
            opened.append(connection.session(seconds=seconds))
    except MachineUnreachable as error:
        problem = str(error)
    for channel in opened:
        channel.close()
    if not opened:
        return _bad("sessions", problem, "allow sessions: MaxSessions 10 in its sshd_config")
    quickest = min(_answer_seconds(connection) for _ in range(_ANSWERS))
    many = "" if problem else " or more"
    return _ok("sessions", f"{len(opened)}{many} on one connection; an answer takes {quickest * 1000:.1f} ms")


def _answer_seconds(connection: Connection) -> float:
    began = time.monotonic()
    connection.settle()
    return time.monotonic() - began


def _ask(connection: Connection, folder: str, seconds: float) -> tuple[Mapping[str, str], str]:
    """Put the questions to the host's shell; give the answers, and what else is said."""
    with translated(connection.target.name, connection.target.port):
        channel = connection.execute(_COMMAND, seconds=seconds)
        try:
            heard = _heard(channel, f"{folder}\n{_QUESTIONS}".encode("utf-8", "surrogateescape"), seconds)
            connection.end(channel, seconds=seconds)
        finally:
            channel.close()
        return _sorted(heard)


def _heard(channel: paramiko.Channel, said: bytes, seconds: float) -> bytes:
    deadline = time.monotonic() + seconds
    heard = b""
    channel.settimeout(seconds)
    try:
        channel.sendall(said)
        channel.shutdown_write()
    except TimeoutError:
        raise
    except OSError:
        pass  # it has ended already; what it has said tells why
    while len(heard) < _MOST_HEARD:
        channel.settimeout(max(0.001, deadline - time.monotonic()))
        piece = channel.recv(_MOST_HEARD)
        if not piece:
            break
        heard += piece
    return heard


def _sorted(heard: bytes) -> tuple[Mapping[str, str], str]:
    answers: dict[str, str] = {}
    noise: list[str] = []
    for line in heard.decode("utf-8", "replace").splitlines():
        before, mark, answer = line.partition(_MARK)
        if mark:
            name, _, value = answer.strip().partition(" ")
            answers[name] = plain_text(value)
        noise.append(before)
    return answers, plain_text(" ".join(noise))


def _shell(answers: Mapping[str, str], noise: str) -> Finding:
    if "sh" not in answers:
        says = f"no command is executed by sh; it says: {noise or 'nothing'}"
        remedy = (
            "is there a forced command for our key (command= in authorized_keys), or a login shell that takes none?"
        )
        return _bad("shell", says, remedy)
    if noise:
        says = f"works, but says something of its own before each command: {noise}"
        return _warning("shell", says, "harmless here, but not for scp; let its start files speak at terminals only")
    return _ok("shell", "executes commands, and says nothing of its own")


def _clock(answers: Mapping[str, str], before: float, after: float) -> Finding:
    if not answers.get("clock", "").isdigit():
        return _warning("clock", "does not tell the time", "install coreutils")
    shown = float(answers["clock"])
    apart = shown + 1 - before if shown + 1 < before else max(0.0, shown - after)
    if abs(apart) > _CLOCK_SLACK_SECONDS:
        says = (
            f"{abs(apart):.0f} s {'ahead of' if apart > 0 else 'behind'} ours; times of files from there mislead tools"
        )
        return _warning("clock", says, "set it by NTP: sudo timedatectl set-ntp true")
    return _ok("clock", "agrees with ours")


def _folder(answers: Mapping[str, str], config: SshConfig) -> Iterator[Finding]:
    if "writable" not in answers:
        says = f"we cannot have {config.folder} there: {answers.get('refused', 'nobody says why')}"
        yield _bad("folder", says, "make it writable, or name another place by the pool's option folder")
    else:
        yield _ok("folder", f"{answers['writable']} can be written")
        if "executable" in answers:
            yield _ok("programs", "files there can be executed")
        else:
            says = "files there cannot be executed (noexec); commands work, what tasks build for themselves does not"
            yield _warning("programs", says, "name a folder on another file system by the pool's option folder")
    sizes = re.search(r"\s(\d+)\s+\d+%\s", answers.get("disk", ""))
    if sizes is None:
        return
    free = int(sizes[1]) * 1024
    says = f"{format_size(free)} free for our folder"
    remedy = "free some space there, or name another place by the pool's option folder"
    if free < _NO_ROOM:
        yield _bad("disk", says, remedy)
    elif free < _LITTLE_ROOM:
        yield _warning("disk", says, remedy)
    else:
        yield _ok("disk", says)


def _python(executable: str, facts: Mapping[str, Any], answers: Mapping[str, str]) -> Finding:
    if executable != SHIM:
        return _ok("python", f"Python {plain_text(str(facts.get('python', '')))} at {plain_text(executable)}")
    had = f"{answers['python']} is too old, or lacks modules" if "python" in answers else "there is none"
    says = f"{had}: commands run by its shell, Python calls do not"
    return _warning("python", says, "install python3, 3.8 or later, or name one by the pool's option python")


def _computer(host: HostConfig, facts: Mapping[str, Any]) -> Finding:
    cpus, memory, gpus = float(facts["cpus"]), int(facts["memory"]), int(facts.get("gpus", 0))
    other = "".join(f", {plain_text(str(facts[name]))}" for name in ("arch", "os") if name in facts)
    says = f"{cpus:g} cores, {format_size(memory)}, {gpus} GPUs{other}"
    asked = [
        name
        for name, given, has in (("cpus", host.cpus, cpus), ("memory", host.memory, memory), ("gpus", host.gpus, gpus))
        if given is not None and given > has
    ]
    if asked:
        return _warning("computer", f"{says}; the pool says more", f"lower its {' and '.join(asked)} in the pool")
    return _ok("computer", says)


def _supervisor(
    host: HostConfig, config: SshConfig, facts: Mapping[str, Any], start: Callable[[Machine], None]
) -> Finding:
    resources = Resources(cpus=float(facts["cpus"]), memory_bytes=int(facts["memory"]))
    began = time.monotonic()
    try:
        start(Machine(id=host.host, pool="check", resources=resources, address=host.host))
    except LongshoreError as error:
        return _bad("supervisor", str(error), f"mend that, and look into {config.folder}/runs there if it stays")
    return _ok("supervisor", f"starts and answers within {time.monotonic() - began:.1f} s")
