"""What is said between us and a shell or a Python of a host, before the program that is wanted has begun."""

from __future__ import annotations

import json
import time
from typing import Any

import paramiko

from longshore.errors import DiskFull, ExecutorError, MachineUnreachable
from longshore.remote.starter import MARK
from longshore_ssh.errors import plain_text

__all__ = ["Speech"]

_MOST_NOISE = 1 << 16
_PIECE_BYTES = 1 << 15


class Speech:
    """A channel on which a command of ours has just been started, until a deadline."""

    def __init__(self, channel: paramiko.Channel, name: str, seconds: float) -> None:
        self.channel = channel
        self.rest = b""
        """What was heard and not yet taken."""
        self._name = name
        self._deadline = time.monotonic() + seconds

    def send(self, content: bytes) -> None:
        """Send all of it. Silent when the other side has ended: what it has said tells why."""
        try:
            for start in range(0, len(content), _PIECE_BYTES):
                self._set_timeout()
                self.channel.sendall(content[start : start + _PIECE_BYTES])
        except TimeoutError:
            raise
        except OSError:
            return

    def hear(self) -> dict[str, Any]:
        """Wait for a line of ours; what shells print before it means nothing.

        Raises:
            MachineUnreachable: when the host hangs up.
            ExecutorError: when it says nothing of ours, or a problem.
        """
        noise = b""
        while True:
            line, end, self.rest = self.rest.partition(b"\n")
            mark = line.rfind(MARK.encode())
            if end and mark >= 0:
                try:
                    told = dict(json.loads(line[mark + len(MARK) :]))
                except (ValueError, TypeError):
                    pass  # somebody else says the same word
                else:
                    if "problem" in told:
                        raise self._problem(told)
                    return told
            if end:
                noise += line + b"\n"
                continue
            self.rest = line
            content = self._more()
            if not content or len(noise) + len(self.rest) > _MOST_NOISE:
                raise self._silent(noise + self.rest)

    def line(self) -> bytes:
        """Wait for a line of any bytes, without its end."""
        while b"\n" not in self.rest:
            if not self._more():
                raise MachineUnreachable(f"{self._name} hung up while a program was being started")
        line, _, self.rest = self.rest.partition(b"\n")
        return line

    def _more(self) -> bytes:
        self._set_timeout()
        content = bytes(self.channel.recv(_PIECE_BYTES))
        self.rest += content
        return content

    def _set_timeout(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.channel.settimeout(left)

    def _problem(self, told: dict[str, Any]) -> Exception:
        text = plain_text(str(told["problem"]))
        if told["kind"] == "full":
            return DiskFull(f"{self._name}: the disk is full: {text}")
        return ExecutorError(
            f"{self._name}: we cannot have a folder there: {text}; name another one by the pool's option folder"
        )

    def _silent(self, noise: bytes) -> Exception:
        if not noise and not self.channel.exit_status_ready():
            return MachineUnreachable(f"{self._name} hung up while a program was being started")
        said = plain_text(noise.decode("utf-8", "replace")) or "nothing"
        return ExecutorError(
            f"{self._name} lets us in, but executes no commands by sh; it says: {said}. "
            "Is there a forced command for our key, or a login shell that takes none?"
        )
