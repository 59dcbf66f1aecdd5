"""The machines that a config names, with what they have: as the config says, as was seen before, or as they say now."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from longshore.model.machine import Machine
from longshore.model.resources import Resources
from longshore_ssh.config import HostConfig, SshConfig
from longshore_ssh.connection import Connection
from longshore_ssh.programs import begin
from longshore_ssh.targets import Target, target_of

__all__ = ["machines_of", "probe"]

_log = logging.getLogger("longshore_ssh")

_BELIEVED_SECONDS = 7 * 24 * 3600
_AT_ONCE = 16


def machines_of(config: SshConfig, pool: str) -> Sequence[Machine]:
    """Describe the hosts of a pool. Those that nothing is known of are asked, all at once.

    Raises:
        MachineUnreachable: when one does not answer.
        ExecutorError: when one is not the host that is meant, or lets nobody in.
    """
    memory = _Memory()
    targets = [target_of(host, config) for host in config.hosts]
    known = [_said(host) or memory.recall(target) for host, target in zip(config.hosts, targets, strict=True)]
    unknown = [target for target, facts in zip(targets, known, strict=True) if facts is None]
    if unknown:
        with ThreadPoolExecutor(min(_AT_ONCE, len(unknown))) as crew:
            asked = list(crew.map(lambda target: probe(target, config), unknown))
        memory.keep(dict(zip(unknown, asked, strict=True)))
        answers = iter(asked)
        known = [next(answers) if facts is None else facts for facts in known]
    return [_machine(host, pool, facts or {}) for host, facts in zip(config.hosts, known, strict=True)]


def probe(target: Target, config: SshConfig) -> Mapping[str, Any]:
    """Ask a host what it is like; the errors are those of `machines_of`."""
    seconds = config.connect_timeout.total_seconds()
    connection = Connection.open(target, seconds=seconds)
    try:
        return begin(connection, config, "facts", "runs", seconds=seconds).facts
    finally:
        connection.close()


def _said(host: HostConfig) -> Mapping[str, Any] | None:
    """Give what the config says of a host, if that is enough."""
    if host.cpus is None or host.memory is None:
        return None
    return {}


def _machine(host: HostConfig, pool: str, facts: Mapping[str, Any]) -> Machine:
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
    )


class _Memory:
    """What hosts have said of themselves lately, in a file of the user's cache: a plan need not ask them again."""

    def __init__(self) -> None:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
        self._path = folder / "longshore" / "hosts.json"
        self._known = self._read()

    def recall(self, target: Target) -> Mapping[str, Any] | None:
        """Give what is known of a host; None when that is nothing, or old."""
        entry = self._known.get(_key(target))
        if entry is None or not 0 <= time.time() - entry["seen"] < _BELIEVED_SECONDS:
            return None
        return dict(entry["facts"])

    def keep(self, facts: Mapping[Target, Mapping[str, Any]]) -> None:
        """Remember what hosts have said; it is no loss when that cannot be written down."""
        known = {**self._read()}
        known.update({_key(target): {"seen": time.time(), "facts": dict(said)} for target, said in facts.items()})
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            beside.write_text(json.dumps(known, indent=1))
            beside.replace(self._path)
        except OSError as error:
            _log.info("what hosts are like is not remembered: %s", error)

    def _read(self) -> dict[str, Any]:
        with suppress(OSError, ValueError, TypeError):
            known = json.loads(self._path.read_text())
            return {
                str(key): entry
                for key, entry in known.items()
                if isinstance(entry["seen"], int | float) and {"cpus", "memory"} <= entry["facts"].keys()
            }
        return {}


def _key(target: Target) -> str:
    hops = "".join(f"{hop.host}:{hop.port} " for hop in target.jump)
    return f"{hops}{target.user}@{target.host}:{target.port}"
