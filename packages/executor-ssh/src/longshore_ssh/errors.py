"""What goes wrong with SSH, in the words of Longshore: translated once, here, with the cause kept."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import paramiko

from longshore.errors import ExecutorError, LongshoreError, MachineUnreachable

__all__ = ["LoginRefused", "NotTheHost", "plain_text", "translated"]

_SHOWN = 400


class LoginRefused(ExecutorError):
    """The host answers, and lets nobody in with what we have; trying again changes nothing."""


class NotTheHost(ExecutorError):
    """What answers cannot prove to be the host that is meant; nothing was sent to it."""

    def __init__(self, says: str, remedy: str = "") -> None:
        """Say what answers; the remedy has the exact command in a line of its own."""
        super().__init__(f"{says}\n{remedy}" if remedy else says)
        self.says = says
        self.remedy = remedy


_REASONS = {
    errno.ECONNREFUSED: "refuses connections on port {port}: no SSH server listens there, or a firewall answers for it",
    errno.EHOSTUNREACH: "cannot be reached: there is no way to its address",
    errno.ENETUNREACH: "cannot be reached: there is no way to its network",
    errno.ETIMEDOUT: "does not answer on port {port}",
    errno.ECONNRESET: "hung up",
    errno.EPIPE: "hung up",
}


@contextmanager
def translated(name: str, port: int) -> Iterator[None]:
    """Raise what SSH and the network raise within as Longshore's own errors.

    Args:
        name: the host, as the user writes it.
        port: where it was looked for.
    """
    try:
        yield
    except LongshoreError:
        raise
    except socket.gaierror as error:
        raise ExecutorError(f"{name} is no host that is known: its name has no address ({error.strerror})") from error
    except TimeoutError as error:
        raise MachineUnreachable(f"{name} does not answer on port {port}") from error
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise MachineUnreachable(f"{name} {_reason(error, port)}") from error


def _reason(error: Exception, port: int) -> str:
    if isinstance(error, paramiko.ChannelException):
        return f"opens no more sessions on one connection ({plain_text(error.text)}); see MaxSessions of its server"
    if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
        return f"speaks no kind of SSH that we speak: {plain_text(str(error))}"
    if isinstance(error, paramiko.SSHException) and "banner" in str(error):
        return f"does not speak SSH on port {port}, or has too many connections at once (MaxStartups)"
    if isinstance(error, OSError) and error.errno in _REASONS:
        return _REASONS[error.errno].format(port=port)
    if isinstance(error, EOFError):
        return "hung up"
    return f"cannot be reached: {plain_text(str(error)) or type(error).__name__}"


def plain_text(text: str, most: int = _SHOWN) -> str:
    """Make what a stranger has sent fit for a terminal: one line, no control characters, not too long."""
    clean = "".join(each if each.isprintable() else " " for each in text)
    words = " ".join(clean.split())
    return words if len(words) <= most else words[: most - 3] + "..."
