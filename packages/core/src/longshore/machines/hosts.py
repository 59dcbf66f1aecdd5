"""Hosts that pools name: which there are, and whether they can be used. No cloud is asked, and no ledger kept."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from pathlib import Path

from attrs import frozen

from longshore.config.renting import read_renting
from longshore.errors import LongshoreError, UsageError
from longshore.model.names import near
from longshore.model.workflow import PoolSpec
from longshore.plugin.hosts import Checks, Finding, Soundness
from longshore.plugin.protocols import ExecutorContext
from longshore.plugin.provider import Provider
from longshore.runtime.parallel import in_parallel
from longshore.runtime.project import Project
from longshore.runtime.registry import Registry

__all__ = ["CheckedHost", "GivenHost", "check_hosts", "given_hosts", "make_executor"]

_PATIENCE = timedelta(minutes=5)


@frozen(kw_only=True)
class GivenHost:
    """A host that a pool names."""

    pool: PoolSpec
    host: str
    """As the pool names it."""
    executor: Checks

    @property
    def name(self) -> str:
        """Pool and host; nobody else has it."""
        return f"{self.pool.name}/{self.host}"


@frozen(kw_only=True)
class CheckedHost:
    """What was found out of a host."""

    pool: str
    host: str
    findings: tuple[Finding, ...]

    @property
    def state(self) -> Soundness:
        """The worst of the findings."""
        order = list(Soundness)
        return max((finding.state for finding in self.findings), key=order.index, default=Soundness.OK)


def make_executor(
    registry: Registry,
    pool: PoolSpec,
    folder: Path,
    aside: Path,
    *,
    provider: Provider | None = None,
    address: str = "",
) -> object:
    """Make the executor of a pool for work by hand, which keeps what it keeps in ``aside``; ``provider`` and
    ``address`` are of a machine that is rented.

    Raises:
        ConfigError: when its options are wrong.
        PluginError: when there is no such plugin, or it cannot be used.
    """
    project = Project(folder)
    record = registry.executor(pool.executor)
    options = registry.pool_options(record, pool)
    context = ExecutorContext(
        run="by-hand",
        run_folder=aside,
        project_folder=project.folder,
        store_folder=project.store,
        provider=provider,
        address=address,
    )
    return registry.make_executor(record, options, context)


def given_hosts(folder: Path, aside: Path) -> list[GivenHost]:
    """List the hosts that the pools of a folder and of its user name; no host is asked.

    Raises:
        ConfigError: when pools are described wrongly.
        PluginError: when the executor of one is missing or broken.
    """
    registry = Registry()
    found: list[GivenHost] = []
    for pool in read_renting(folder).pools.values():
        executor = make_executor(registry, pool, folder, aside)
        if pool.rented is None and isinstance(executor, Checks):
            found += [GivenHost(pool=pool, host=host, executor=executor) for host in executor.hosts()]
    return found


def _silent(_: str) -> None:
    return


def check_hosts(
    words: Collection[str] = (), *, folder: Path | str = ".", tell: Callable[[str], None] = _silent
) -> list[CheckedHost]:
    """Check hosts, all at once: those that are named (by pool, host, or ``pool/host``), else all.

    What is wrong with a host is in its findings. ``tell`` is called with words about what is waited for.

    Raises:
        UsageError: when a word names nothing.
        ConfigError: when pools are described wrongly.
        PluginError: when the executor of one is missing or broken.
    """
    with tempfile.TemporaryDirectory(prefix="longshore-check-") as aside:
        hosts = {host.name: host for host in _chosen(given_hosts(Path(folder), Path(aside)), words)}
        left = set(hosts)

        def check(name: str) -> Sequence[Finding]:
            findings = _findings(hosts[name])
            left.discard(name)
            if left:
                tell(f"{len(hosts) - len(left)} of {len(hosts)} hosts checked, waiting for {min(left)}")
            return findings

        tell(f"checking {', '.join(hosts)}" if hosts else "no pool names hosts")
        found = in_parallel(check, list(hosts), within=_PATIENCE)
    return [
        CheckedHost(pool=host.pool.name, host=host.host, findings=tuple(found.get(name, (_late(),))))
        for name, host in hosts.items()
    ]


def _findings(host: GivenHost) -> Sequence[Finding]:
    try:
        return host.executor.check(host.host)
    except LongshoreError as error:
        return [Finding(name="check", state=Soundness.BAD, says=str(error))]


def _late() -> Finding:
    says = f"nothing was found out within {_PATIENCE.total_seconds():.0f} s"
    return Finding(name="check", state=Soundness.BAD, says=says, remedy="see whether it answers ssh at all")


def _chosen(hosts: Sequence[GivenHost], words: Collection[str]) -> list[GivenHost]:
    chosen: dict[str, GivenHost] = {}
    for word in words:
        meant = [host for host in hosts if word in {host.pool.name, host.host, host.name}]
        if not meant:
            names = list(dict.fromkeys(name for host in hosts for name in (host.pool.name, host.host)))
            close = near(word, names)
            there = f"there are: {', '.join(names)}" if names else "no pool names hosts"
            remedy = f"did you mean {' or '.join(close)}?" if close else there
            raise UsageError(f"there is no host {word!r}, and no pool of that name with hosts; {remedy}")
        chosen.update({host.name: host for host in meant})
    return list(chosen.values()) if words else list(hosts)
