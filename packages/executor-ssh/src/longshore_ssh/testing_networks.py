"""For tests: networks of their own, which can be cut and slowed down, and ways that count what they carry."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import threading
from collections.abc import Sequence

__all__ = ["SECONDS", "Island", "Meter", "no_islands"]

SECONDS = 120.0
"""No wait is longer."""


class Island:
    """A network with two ends: this computer, and one host that can reach nobody else."""

    def __init__(self) -> None:
        """Make it.

        Raises:
            OSError, subprocess.CalledProcessError: when that cannot be; see `no_islands`.
        """
        mark = os.urandom(4)
        self._name = f"longshore-{mark.hex()}"
        self._ours = f"ls{mark.hex()}"
        net = f"10.{200 + mark[0] % 50}.{mark[1]}"
        last = mark[2] & 0xFC
        self._here = f"{net}.{last + 1}"
        self.address = f"{net}.{last + 2}"
        self._make()

    def _make(self) -> None:
        _ip(
            f"netns add {self._name}",
            f"link add {self._ours} type veth peer name eth0 netns {self._name}",
            f"addr add {self._here}/30 dev {self._ours}",
            f"link set {self._ours} up",
            f"-n {self._name} addr add {self.address}/30 dev eth0",
            f"-n {self._name} link set eth0 up",
            f"-n {self._name} link set lo up",
        )

    @property
    def words(self) -> Sequence[str]:
        """What to write before a command that is executed there."""
        return ("nsenter", f"--net=/run/netns/{self._name}")

    def sever(self) -> None:
        """Let nothing through, and tell nobody, until `mend`."""
        _ip(f"-n {self._name} link set eth0 down")

    def mend(self) -> None:
        """Let all through again."""
        _ip(f"-n {self._name} link set eth0 up")

    def throttle(self, rate: str) -> None:
        """Let no more through than, as ``tc`` writes it, ``8mbit``, each way."""
        for words in (["dev", self._ours], ["-n", self._name, "dev", "eth0"]):
            where = [*words[:-2], "qdisc", "add", *words[-2:]]
            shape = ["root", "tbf", "rate", rate, "burst", "32kbit", "latency", "400ms"]
            subprocess.run(["tc", *where, *shape], check=True, capture_output=True, timeout=SECONDS)

    def end_all(self) -> None:
        """Kill all that runs there, as when the power goes."""
        self.sever()
        told = subprocess.run(
            ["ip", "netns", "pids", self._name], check=True, capture_output=True, text=True, timeout=SECONDS
        )
        for pid in map(int, told.stdout.split()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def renew(self) -> None:
        """Make it anew, with the same address."""
        self.close()
        self._make()

    def close(self) -> None:
        """Remove it."""
        # By itself our end goes when the last process there has, which may be later.
        for words in (["link", "del", self._ours], ["netns", "del", self._name]):
            subprocess.run(["ip", *words], check=False, capture_output=True, timeout=SECONDS)


def _ip(*commands: str) -> None:
    for words in commands:
        subprocess.run(["ip", *words.split()], check=True, capture_output=True, timeout=SECONDS)


def no_islands() -> str:
    """Say why there can be no hosts with networks of their own; empty when there can."""
    try:
        Island().close()
    except (OSError, subprocess.CalledProcessError) as error:
        return f"networks cannot be made here: {error}"
    return ""


class Meter:
    """Another place of a host, at 127.0.0.1, that counts the bytes which go through it."""

    def __init__(self, address: str, port: int) -> None:
        """Listen."""
        self.sent = 0
        self.received = 0
        self._cut_at: int | None = None
        self._target = (address, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        self._threads[0].start()

    def cut_after(self, count: int) -> None:
        """Hang up once, in the middle of what is carried, when so many bytes more have come."""
        self._cut_at = self.sent + self.received + count

    def close(self) -> None:
        """Take nobody in any more, and hang up."""
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(SECONDS)

    def _serve(self) -> None:
        with self._listener:
            while True:
                try:
                    near, _ = self._listener.accept()
                except OSError:
                    return
                thread = threading.Thread(target=self._carry, args=(near,), daemon=True)
                thread.start()
                self._threads.append(thread)

    def _carry(self, near: socket.socket) -> None:
        with near, contextlib.suppress(OSError), socket.create_connection(self._target, SECONDS) as far:
            while True:
                for source in select.select([near, far], [], [])[0]:
                    content = source.recv(1 << 16)
                    if not content:
                        return
                    if source is near:
                        self.sent += len(content)
                        far.sendall(content)
                    else:
                        self.received += len(content)
                        near.sendall(content)
                if self._cut_at is not None and self.sent + self.received >= self._cut_at:
                    self._cut_at = None
                    return
