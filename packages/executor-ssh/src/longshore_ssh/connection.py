"""One SSH connection: the socket, the way through jump hosts, the proof of who is there, the login."""

from __future__ import annotations

import contextlib
import logging
import socket
import subprocess
from collections.abc import Sequence
from typing import Any

import paramiko

from longshore.errors import MachineUnreachable
from longshore_ssh.errors import LoginRefused, translated
from longshore_ssh.identity import known_types, verify
from longshore_ssh.keys import login_keys, password_for
from longshore_ssh.targets import Target

__all__ = ["Connection"]

_log = logging.getLogger("longshore_ssh")
_log.addHandler(logging.NullHandler())

_CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com")
_UNHEARD_MS = 15_000
"""So long the network may keep sent bytes unconfirmed before a connection counts as dead."""
_PATIENT_SECONDS = 30.0
_MOST_KEYS = 5
"""One below what servers allow as they come (MaxAuthTries 6)."""


class _Socket:
    """What a transport reads and writes. paramiko wakes up ten times a second to see whether it was closed: here that
    is told by the socket itself, and it may wait.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._closed = False
        inner.settimeout(0.1)

    def be_patient(self) -> None:
        """Wait for long from now on: there are no more deadlines that only the reading thread looks at."""
        self._inner.settimeout(_PATIENT_SECONDS)

    def settimeout(self, _seconds: float) -> None:
        """Do nothing: how long is waited is decided here."""

    def send(self, content: bytes) -> int:
        return int(self._inner.send(content))

    def recv(self, size: int) -> bytes:
        return bytes(self._inner.recv(size))

    def getpeername(self) -> Any:
        return self._inner.getpeername()

    def close(self) -> None:
        self._closed = True
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):  # what it goes through may have ended
            if not isinstance(self._inner, paramiko.Channel):
                self._inner.shutdown(socket.SHUT_RDWR)  # wakes up who reads
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            self._inner.close()


class _Proxy:
    """A command of the user's ``~/.ssh/config`` that is the way to a host."""

    def __init__(self, command: str) -> None:
        self._socket, theirs = socket.socketpair()
        with theirs:
            # The user's own shell text, as ssh executes it; what is put into it was checked (`split_address`).
            self._process = subprocess.Popen(
                ["sh", "-c", f"exec {command}"],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def close(self) -> None:
        self._socket.close()
        self._process.terminate()
        self._process.wait()


class Connection:
    """A connection that is logged in. Many channels may be opened on it, from several threads."""

    def __init__(
        self, target: Target, transport: paramiko.Transport, before: Connection | None, let_in_by: str
    ) -> None:
        self.target = target
        self.let_in_by = let_in_by
        """Which key it was, and where it is from; or that it was a password."""
        self._transport = transport
        self._before = before

    @classmethod
    def open(cls, target: Target, *, seconds: float, window: int = 2 << 20) -> Connection:
        """Log in to a host, through its jump hosts.

        Args:
            target: where.
            seconds: how long each step may take.
            window: how many bytes the host may send on a channel without being asked to go on.

        Raises:
            MachineUnreachable: when it does not answer; later it may.
            NotTheHost: when it cannot prove to be the one that is meant.
            LoginRefused: when it lets nobody in.
            ExecutorError: when there is no such host.
        """
        before: Connection | None = None
        try:
            for hop in (*target.jump, target):
                before = cls._open_one(hop, before, seconds, window)
        except BaseException:
            if before is not None:
                before.close()
            raise
        assert before is not None
        return before

    @classmethod
    def _open_one(cls, target: Target, before: Connection | None, seconds: float, window: int) -> Connection:
        with translated(target.name, target.port):
            wire: Any = _Socket(before._through(target, seconds) if before is not None else _dial(target, seconds))
            transport: paramiko.Transport | None = None
            try:
                transport = paramiko.Transport(wire, default_window_size=window)
                let_in_by = _begin(transport, target, seconds)
                wire.be_patient()
                return cls(target, transport, before, let_in_by)
            except BaseException:
                if transport is not None:
                    transport.close()
                wire.close()
                raise

    def _through(self, target: Target, seconds: float) -> paramiko.Channel:
        try:
            return self._transport.open_channel(
                "direct-tcpip", (target.host, target.port), ("127.0.0.1", 0), timeout=seconds
            )
        except paramiko.ChannelException as error:
            raise MachineUnreachable(
                f"{target.name} cannot be reached from the jump host {self.target.name}: {error.text}"
            ) from error

    @property
    def host_key(self) -> paramiko.PKey:
        """The key by which the host has shown who it is."""
        return self._transport.get_remote_server_key()

    def session(self, *, seconds: float) -> paramiko.Channel:
        """Open a session in which nothing happens yet; the errors are those of `execute`."""
        with translated(self.target.name, self.target.port):
            return self._transport.open_session(timeout=seconds)

    def execute(self, command: str, *, seconds: float) -> paramiko.Channel:
        """Start a command of ours there; what it complains of comes with what it says.

        Raises:
            MachineUnreachable: when the connection has ended, or the host opens no more sessions on it.
        """
        with translated(self.target.name, self.target.port):
            channel = self.session(seconds=seconds)
            channel.set_combine_stderr(True)
            channel.exec_command(command)
            return channel

    def end(self, channel: paramiko.Channel, *, seconds: float) -> None:
        """Close a session whose program ends by itself, such that the host counts it no more among its sessions.

        A server forgets a session when its program has ended, which it tells, and we have closed: where one session at
        a time is allowed, another one that is asked for in between is refused.

        Args:
            channel: the session.
            seconds: how long the end of its program is waited for.
        """
        channel.status_event.wait(seconds)
        channel.close()
        self.settle()

    def settle(self) -> None:
        """Wait for one answer of the host: what was closed before counts no more among its sessions then."""
        self._transport.global_request("keepalive@openssh.com", wait=True)

    def close(self) -> None:
        """Hang up. What was started through it may live on."""
        self._transport.close()
        if self._before is not None:
            self._before.close()


def _dial(target: Target, seconds: float) -> Any:
    if target.proxy_command:
        return _Proxy(target.proxy_command)
    link = socket.create_connection((target.host, target.port), seconds)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNHEARD_MS)
    return link


def _begin(transport: paramiko.Transport, target: Target, seconds: float) -> str:
    """Agree on ciphers, see who is there, and log in; say by what."""
    transport.set_log_channel("longshore_ssh.transport")
    transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = seconds
    options = transport.get_security_options()
    ciphers = options.ciphers
    options.ciphers = [*(c for c in _CIPHERS if c in ciphers), *(c for c in ciphers if c not in _CIPHERS)]
    known = _signatures(known_types(target))
    kinds = options.key_types
    options.key_types = [*(k for k in kinds if k in known), *(k for k in kinds if k not in known)]
    transport.start_client(timeout=seconds)
    verify(target, transport.get_remote_server_key())
    if target.password:
        _log_in_by_password(transport, target)
        return "a password"
    return _log_in_by_key(transport, target)


def _signatures(kinds: Sequence[str]) -> set[str]:
    """Name the kinds of signatures that go with kinds of keys."""
    return {
        signature
        for kind in kinds
        for signature in (("rsa-sha2-512", "rsa-sha2-256") if kind == "ssh-rsa" else (kind,))
    }


def _log_in_by_password(transport: paramiko.Transport, target: Target) -> None:
    try:
        transport.auth_password(target.user, password_for(target))
    except paramiko.BadAuthenticationType as error:
        raise LoginRefused(f"{target.name} takes no passwords (it takes {', '.join(error.allowed_types)})") from error
    except paramiko.AuthenticationException as error:
        raise LoginRefused(f"{target.name} refuses the password of {target.user}") from error


def _log_in_by_key(transport: paramiko.Transport, target: Target) -> str:
    tried: list[str] = []
    with contextlib.closing(login_keys(target)) as keys:
        for origin, key in keys:
            if len(tried) == _MOST_KEYS:
                break
            if _is_let_in(transport, target, key):
                return f"{key.get_name()} from {origin}"
            tried.append(f"{key.get_name()} from {origin}")
    shown = "; ".join(tried) or "there was none to try: neither in the agent nor in ~/.ssh"
    raise LoginRefused(
        f"{target.name} refuses the login of {target.user}: {shown}. Is the public key in the host's "
        "~/.ssh/authorized_keys?"
    )


def _is_let_in(transport: paramiko.Transport, target: Target, key: paramiko.PKey) -> bool:
    try:
        transport.auth_publickey(target.user, key)
    except paramiko.BadAuthenticationType as error:
        raise LoginRefused(
            f"{target.name} takes no keys (it takes {', '.join(error.allowed_types)}); "
            'for passwords write auth = "password"'
        ) from error
    except paramiko.AuthenticationException:
        return False
    if not transport.is_authenticated():
        raise LoginRefused(f"{target.name} wants more than a key, and nothing else can be given")
    return True
