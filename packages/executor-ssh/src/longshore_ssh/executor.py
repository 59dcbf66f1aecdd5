"""Executes attempts on hosts that answer SSH: nothing need be installed there, and no files are shared."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from attrs import evolve

from longshore.errors import MachineUnreachable
from longshore.model.machine import Machine
from longshore.plugin.abilities import FirstBoot
from longshore.plugin.hosts import Finding
from longshore.plugin.protocols import ExecutorContext, Sink
from longshore_ssh.boot import GIVEN_KIND, first_boot
from longshore_ssh.config import HostConfig, SshConfig
from longshore_ssh.connection import Connection
from longshore_ssh.errors import LoginRefused, NotTheHost
from longshore_ssh.keys import public_line
from longshore_ssh.rented import as_rented, login_key, meet
from longshore_ssh.shell import SshShell
from longshore_ssh.targets import Target, find_target, target_of

if TYPE_CHECKING:
    from longshore.remote.remote_session import RemoteSession

__all__ = ["SshExecutor"]

_NOT_SHARED = "leave shared_fs out, or let folder name one that they share"


class SshExecutor:
    """Opens links to hosts. On each a supervisor of the run lives in ``<folder>/runs/<run>.<machine>``."""

    def __init__(self, config: SshConfig, context: ExecutorContext) -> None:
        self._config = config
        self._context = context
        self._shared = None
        if config.shared_fs:
            from longshore.remote.sharing import SharedStore  # noqa: PLC0415  as in `open`

            self._shared = SharedStore(_NOT_SHARED)

    def hosts(self) -> Sequence[str]:
        """Name the hosts of the config."""
        return [host.host for host in self._config.hosts]

    def check(self, host: str) -> Sequence[Finding]:
        """Look at one of them from its address to the supervisor on it."""
        [config] = [each for each in self._config.hosts if each.host == host]
        from longshore_ssh.check import examine  # noqa: PLC0415  as in `open`

        return examine(config, self._config, self._try)

    def shell(self, address: str, *, host_key: str = "") -> SshShell:
        """Log in to a host, for work by hand; the errors are those of `open`."""
        given = {host.host: host for host in self._config.hosts}
        target = target_of(given.get(address) or HostConfig(host=address), self._config, fingerprint=host_key)
        seconds = self._config.connect_timeout.total_seconds()
        if host_key:
            target = as_rented(target, self._config)
        with _booting(target):
            connection = Connection.open(target, seconds=seconds)
        meet(connection, seconds=seconds)
        return SshShell(connection, seconds)

    def first_boot(self, derived: Callable[[str], bytes], *, unattended: timedelta) -> FirstBoot:
        """Prepare a machine: it lets our key in, and shows a host key that follows from the launch.

        Raises:
            ExecutorError: when we cannot have a key.
        """
        login = public_line(login_key(self._config), self._config.passphrase_env)
        return first_boot(derived("ssh host key"), login)

    def _try(self, machine: Machine) -> None:
        """Start a supervisor for nobody, hear what it says, and let it leave; the errors are those of `open`."""
        context = evolve(self._context, run=f"check-{secrets.token_hex(4)}")
        session = SshExecutor(self._config, context).open(machine, fence=1, sink=_deaf)
        session.clear()
        session.close()

    def open(self, machine: Machine, *, fence: int, sink: Sink) -> RemoteSession:
        """Link to a host.

        Raises:
            FenceRefused: when a newer controller has been there.
            MachineUnreachable: when it does not answer.
            ExecutorError: when it is another host than the one that is meant, lets nobody in, or does not share the
                file system that its pool is said to have.
        """
        if not machine.address:
            raise MachineUnreachable(f"{machine.id} has no address yet")
        target = find_target(machine, self._config)
        if target.fingerprint:
            target = as_rented(target, self._config)
        from longshore_ssh.opening import open_session  # noqa: PLC0415  work by hand needs none of it

        with _booting(target):
            return open_session(target, machine, fence, sink, self._config, self._context, self._shared)


@contextmanager
def _booting(target: Target) -> Iterator[None]:
    """Take a machine for one that boots as long as we have not met it: before its boot data has been executed it shows
    another key, and does not know ours.
    """
    try:
        yield
    except (NotTheHost, LoginRefused) as error:
        if target.host_key_kind != GIVEN_KIND:
            raise
        raise MachineUnreachable(f"{target.name} is not as its boot data would make it (yet): {error}") from error


def _deaf(*_: object) -> None:
    return
