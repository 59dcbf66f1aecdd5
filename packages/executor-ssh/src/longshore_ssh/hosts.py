"""The machines that a config names, with what they have: as the config says, as was seen before, or as they say now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from longshore.model.machine import Machine
from longshore.model.resources import Resources
from longshore.plugin.catalogue import Catalogue, default_folder
from longshore_ssh.config import HostConfig, SshConfig
from longshore_ssh.connection import Connection
from longshore_ssh.programs import begin
from longshore_ssh.targets import Target, target_of

__all__ = ["machines_of", "probe"]

_BELIEVED = timedelta(days=7)
"""What a host has said of itself is asked again after this time: a plan need not ask each time."""
_AT_ONCE = 16


def machines_of(config: SshConfig, pool: str) -> Sequence[Machine]:
    """Describe the hosts of a pool. Those that nothing is known of are asked, all at once.

    Raises:
        MachineUnreachable: when one does not answer.
        ExecutorError: when one is not the host that is meant, or lets nobody in.
    """
    kept = Catalogue(default_folder(), now=lambda: datetime.now(UTC))

    def facts_of(host: HostConfig, target: Target) -> Mapping[str, Any]:
        if host.cpus is not None and host.memory is not None:
            return {}  # the config says enough
        facts: Mapping[str, Any] = kept.get(
            f"ssh/{_key(target)}", lambda: dict(probe(target, config)), keep=_BELIEVED
        ).value
        return facts

    targets = [target_of(host, config) for host in config.hosts]
    with ThreadPoolExecutor(_AT_ONCE) as crew:
        known = list(crew.map(facts_of, config.hosts, targets))
    store = pool if config.shared_fs else None
    return [_machine(host, pool, facts, store) for host, facts in zip(config.hosts, known, strict=True)]


def probe(target: Target, config: SshConfig) -> Mapping[str, Any]:
    """Ask a host what it is like; the errors are those of `machines_of`."""
    seconds = config.connect_timeout.total_seconds()
    connection = Connection.open(target, seconds=seconds)
    try:
        return begin(connection, config, "facts", "runs", seconds=seconds).facts
    finally:
        connection.close()


def _machine(host: HostConfig, pool: str, facts: Mapping[str, Any], store: str | None) -> Machine:
    resources = Resources(
        cpus=host.cpus if host.cpus is not None else float(facts["cpus"]),
        memory_bytes=host.memory if host.memory is not None else int(facts["memory"]),
        gpus=host.gpus if host.gpus is not None else int(facts.get("gpus", 0)),
    )
    seen = {name: str(facts[name]) for name in ("arch", "os") if name in facts}
    return Machine(
        id=f"{pool}.{host.host}",
        pool=pool,
        resources=resources,
        slots=host.slots,
        address=host.host,
        tags={**seen, **host.labels},
        store=store,
    )


def _key(target: Target) -> str:
    hops = "".join(f"{hop.host}:{hop.port} " for hop in target.jump)
    return f"{hops}{target.user}@{target.host}:{target.port}"
