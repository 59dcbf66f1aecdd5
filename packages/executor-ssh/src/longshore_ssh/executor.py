"""Executes attempts on hosts that answer SSH: nothing need be installed there, and no files are shared."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from longshore.errors import FenceRefused
from longshore.model.machine import Machine
from longshore.plugin.protocols import ExecutorContext, Sink
from longshore.remote.protocol import VERSION
from longshore.remote.remote_session import RemoteSession
from longshore.remote.shim_session import ShimSession
from longshore_ssh.config import SshConfig
from longshore_ssh.programs import SHIM
from longshore_ssh.session import SshLink
from longshore_ssh.targets import find_target

__all__ = ["SshExecutor"]

_PLAIN = re.compile(r"[A-Za-z0-9_@+-][A-Za-z0-9_.@+-]*", re.ASCII)


class SshExecutor:
    """Opens links to hosts. On each a supervisor of the run lives in ``<folder>/runs/<run>.<machine>``."""

    def __init__(self, config: SshConfig, context: ExecutorContext) -> None:
        self._config = config
        self._context = context

    def open(self, machine: Machine, *, fence: int, sink: Sink) -> RemoteSession:
        """Link to a host.

        Raises:
            FenceRefused: when a newer controller has been there.
            MachineUnreachable: when it does not answer.
            ExecutorError: when it is another host than the one that is meant, or lets nobody in.
        """
        run = self._context.run
        link = SshLink(find_target(machine, self._config), self._config, f"runs/{_name(run)}.{_name(machine.id)}")
        try:
            link.open()
            if fence < link.fence:
                raise FenceRefused(f"a newer controller has taken run {run} over (its fence is {link.fence})")
            hello = _hello(machine, link, self._context, fence)
            kind = ShimSession if link.python == SHIM else RemoteSession
            return kind(machine.id, hello, link, sink, self._context)
        except BaseException:
            link.close()
            raise


def _name(text: str) -> str:
    """Give a name as a file's, different for different names."""
    if _PLAIN.fullmatch(text):
        return text
    return re.sub(r"[^A-Za-z0-9_.@+-]", "_", text).lstrip(".") + "-" + hashlib.sha256(text.encode()).hexdigest()[:8]


def _hello(machine: Machine, link: SshLink, context: ExecutorContext, fence: int) -> dict[str, Any]:
    return {
        "op": "hello",
        "version": VERSION,
        "fence": fence,
        "cpus": machine.resources.cpus,
        "memory": machine.resources.memory_bytes,
        "gpus": [str(index) for index in range(machine.resources.gpus)],
        "slots": machine.slots,
        "env": None,
        "python": link.python,
        "project": link.folder,
        "store": f"{link.folder}/store",
        "logs": f"{link.folder}/logs",
        "unattended": context.unattended.total_seconds(),
        "tied": False,
    }
