"""Hosts that answer SSH: what this distribution announces. paramiko is imported when a host is looked for."""

from __future__ import annotations

from collections.abc import Sequence

from longshore.model.machine import Machine
from longshore.plugin import Executor, ExecutorContext, ExecutorRecord, hookimpl
from longshore_ssh.config import SshConfig
from longshore_ssh.putting_off import put_off

__all__ = ["longshore_executors"]


_FOR_MATCH_EXEC = "invoke"
"""What paramiko executes commands by that ``Match exec`` of ~/.ssh/config names: a third of its import."""


def _executor(config: SshConfig, context: ExecutorContext) -> Executor:
    put_off(_FOR_MATCH_EXEC)
    from longshore_ssh.executor import SshExecutor  # noqa: PLC0415  paramiko takes long to import

    return SshExecutor(config, context)


def _machines(config: SshConfig, pool: str) -> Sequence[Machine]:
    if not config.hosts:
        return ()
    put_off(_FOR_MATCH_EXEC)
    from longshore_ssh.hosts import machines_of  # noqa: PLC0415  as above

    return machines_of(config, pool)


@hookimpl
def longshore_executors() -> Sequence[ExecutorRecord]:
    """Announce the executor."""
    return [ExecutorRecord(name="ssh", config=SshConfig, factory=_executor, machines=_machines, api=(0, 1))]
