"""Work by hand on a host: one command, a terminal, files there and back. Nothing of it is part of a run."""

from __future__ import annotations

import os
import re
import shlex
import tarfile
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import paramiko

from longshore.errors import ExecutorError, LongshoreError, MachineUnreachable, UsageError
from longshore_ssh.connection import Connection
from longshore_ssh.errors import plain_text, translated
from longshore_ssh.terminal import connect_terminal

__all__ = ["SshShell"]

_MOST_COMMAND = 100_000
"""One word of a command is 128 KiB at most on Linux, and the login shell gets all of it as one."""
_PIECE_BYTES = 1 << 15
_MOST_COMPLAINT = 4096
_WHOLE = ".longshore-whole"
"""The last name in what is sent: an archive that was cut between two files looks like a whole one."""
_PLACE = """
case $1 in "~") d=$HOME;; "~/"*) d=$HOME/${1#??};; /*) d=$1;; *) d=./$1;; esac
fail() { printf '%s\\n' "$1" >&2; exit 3; }
"""
_PUT = f"""{_PLACE}
one=
if [ -d "$d" ]; then into=$d
elif [ "$2" = 1 ] && [ "${{d%/}}" = "$d" ]; then
    into=$(dirname "$d") one=$(basename "$d")
    [ -d "$into" ] || fail "$into is no folder there"
else fail "$d is no folder there"; fi
t=$into/.longshore-put.$$
trap 'rm -rf "$t"' EXIT
mkdir -m 700 "$t" && tar -xpf - -C "$t" || exit 3
[ -e "$t/{_WHOLE}" ] && rm "$t/{_WHOLE}" || fail "it did not arrive whole"
for e in "$t"/* "$t"/.[!.]* "$t"/..?*; do
    [ -e "$e" ] || [ -L "$e" ] || continue
    o=$into/${{one:-${{e##*/}}}}
    [ ! -d "$o" ] || fail "$o is a folder there already, which is not replaced"
    mv -f "$e" "$o" || exit 3
done
"""
_GET = f"""{_PLACE}
[ -e "$d" ] || [ -L "$d" ] || fail "there is no $d there"
cd "$(dirname "$d")" && exec tar -cf - "./$(basename "$d")"
"""


class SshShell:
    """A login to one host."""

    def __init__(self, connection: Connection, seconds: float) -> None:
        """Take a connection over.

        Args:
            connection: logged in.
            seconds: how long a session may take to open.
        """
        self._connection = connection
        self._seconds = seconds
        self._name = connection.target.name

    def execute(self, words: Sequence[str], *, feed: int | None, tell: Callable[[int, bytes], None]) -> int:
        """Execute a command, and give its exit code."""
        with self._begun(shlex.join(words)) as channel:
            _beside(lambda: _feed(channel, feed))
            errors = _beside(lambda: _pass_on(channel.recv_stderr, lambda data: tell(2, data)))
            _pass_on(channel.recv, lambda data: tell(1, data))
            errors.join()
            return self._exit_code(channel)

    def interact(self) -> int:
        """Connect the terminal with a login shell."""
        with translated(self._name, self._connection.target.port):
            channel = self._connection.session(seconds=self._seconds)
            try:
                connect_terminal(channel)
                return self._exit_code(channel)
            finally:
                channel.close()

    def put(self, sources: Sequence[Path], target: str) -> None:
        """Bring files and folders there."""
        names = [source.absolute().name for source in sources]
        for source, name in zip(sources, names, strict=True):
            if not os.path.lexists(source):
                raise UsageError(f"there is no {source}")
            if not name or names.count(name) > 1:
                raise UsageError(f"{source}: no name, or one that stands there twice")
        with self._scripted(_PUT, target, str(len(sources))) as (channel, complaint):
            pipe: Any = _Pipe(channel)  # it is only written to
            try:
                with tarfile.open(fileobj=pipe, mode="w|", format=tarfile.GNU_FORMAT) as archive:
                    for source, name in zip(sources, names, strict=True):
                        archive.add(source, name, filter=_nobodys)
                    archive.addfile(tarfile.TarInfo(_WHOLE))
                channel.shutdown_write()
            except paramiko.SSHException:
                raise
            except OSError as error:
                if error.filename is not None:
                    raise UsageError(f"{error.filename} cannot be read: {error.strerror}") from error
                with suppress(OSError):  # the other side may have ended; why is told below
                    channel.shutdown_write()
            self._see_done(channel, complaint)

    def get(self, sources: Sequence[str], target: Path) -> None:
        """Bring files and folders here."""
        if not hasattr(tarfile, "data_filter"):
            raise UsageError("this needs Python 3.11.4 or later here, which unpacks what strangers send safely")
        into, one = _place_here(target, len(sources))
        with tempfile.TemporaryDirectory(prefix=".longshore-get.", dir=into) as aside:
            for source in sources:
                self._unpack(source, aside)
            for path in sorted(Path(aside).iterdir()):
                final = into / (one or path.name)
                if final.is_dir():
                    raise UsageError(f"{final} is a folder already, which is not replaced")
                path.rename(final)

    def close(self) -> None:
        """Log out."""
        self._connection.close()

    def _unpack(self, source: str, folder: str) -> None:
        with self._scripted(_GET, source) as (channel, complaint):
            problem: Exception | None = None
            channel.shutdown_write()
            try:
                with tarfile.open(fileobj=channel.makefile("rb", _PIECE_BYTES), mode="r|") as archive:
                    archive.extractall(folder, filter="data")
                while channel.recv(_PIECE_BYTES):
                    pass  # what fills up the last block
            except tarfile.TarError as error:
                problem = error
            except OSError as error:
                raise UsageError(f"{error.filename or folder} cannot be written: {error.strerror}") from error
            self._see_done(channel, complaint, problem)

    def _see_done(
        self, channel: paramiko.Channel, complaint: Callable[[], str], problem: Exception | None = None
    ) -> None:
        if isinstance(problem, tarfile.FilterError):
            raise ExecutorError(f"{self._name}: {plain_text(str(problem))}; it is not written here") from problem
        code = self._exit_code(channel)
        if code or problem is not None:
            why = complaint() or plain_text(str(problem or f"tar ended with {code}"))
            raise ExecutorError(f"{self._name}: {why}") from problem

    @contextmanager
    def _scripted(self, script: str, *words: str) -> Iterator[tuple[paramiko.Channel, Callable[[], str]]]:
        """Start a script of ours; give its channel, and a function that waits for what it complains of."""
        with self._begun(shlex.join(["sh", "-c", script, "sh", *words])) as channel:
            heard = bytearray()
            errors = _beside(lambda: _pass_on(channel.recv_stderr, lambda data: _keep(heard, data)))

            def complaint() -> str:
                errors.join()
                return plain_text(heard.decode("utf-8", "replace"))

            yield channel, complaint

    @contextmanager
    def _begun(self, text: str) -> Iterator[paramiko.Channel]:
        with translated(self._name, self._connection.target.port):
            channel = self._connection.session(seconds=self._seconds)
            try:
                channel.exec_command(_spoken(text))
                yield channel
            finally:
                channel.close()
            self._connection.settle()  # where one session at a time is allowed, the next one would come too early

    def _exit_code(self, channel: paramiko.Channel) -> int:
        code = int(channel.recv_exit_status())
        if code < 0:
            raise MachineUnreachable(f"{self._name} hung up; what was started there may go on")
        return code


class _Pipe:
    """A channel as a file that is written."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel

    def write(self, data: Any) -> int:
        for start in range(0, len(data), _PIECE_BYTES):
            self._channel.sendall(data[start : start + _PIECE_BYTES])
        return len(data)


def _spoken(text: str) -> str:
    """Write a text for sh such that every login shell hands it over as it is: nothing but plain characters.

    Raises:
        UsageError: when it is too long to be executed.
    """
    plain = re.compile(rb"[A-Za-z0-9_./:=@,+-]", re.ASCII)
    encoded = "".join(chr(byte) if plain.fullmatch(bytes([byte])) else f"\\0{byte:03o}" for byte in os.fsencode(text))
    if len(encoded) > _MOST_COMMAND:
        raise UsageError("the command is too long; put a script there, and execute that")
    return f"exec sh -c 'cd 2>/dev/null; eval \"$(printf %b \"$0\")\"; exit $?' '{encoded}'"


def _beside(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def _pass_on(receive: Callable[[int], bytes], tell: Callable[[bytes], None]) -> None:
    while data := receive(_PIECE_BYTES):
        tell(data)


def _feed(channel: paramiko.Channel, feed: int | None) -> None:
    try:
        while feed is not None and (data := os.read(feed, _PIECE_BYTES)):
            channel.sendall(data)
        channel.shutdown_write()
    except (OSError, EOFError, LongshoreError, paramiko.SSHException):
        return  # the command has ended, and reads no more


def _keep(heard: bytearray, data: bytes) -> None:
    heard += data[: _MOST_COMPLAINT - len(heard)]


def _nobodys(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Who owns a file here means nothing there."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def _place_here(target: Path, count: int) -> tuple[Path, str]:
    if target.is_dir():
        return target, ""
    if count == 1 and target.name and target.parent.is_dir():
        return target.parent, target.name
    raise UsageError(f"{target} is no folder")
