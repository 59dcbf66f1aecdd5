"""Logging in to a machine by its name, be it a host that a pool names or one that is rented."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from longshore.config.renting import read_renting
from longshore.errors import UsageError
from longshore.machines.hosts import given_hosts, make_executor
from longshore.model.names import near
from longshore.model.workflow import PoolSpec
from longshore.plugin.hosts import Shell, Shells
from longshore.runtime.registry import Registry

__all__ = ["open_shell", "shells_of"]


def _silent(_: str) -> None:
    return


@contextmanager
def open_shell(name: str, *, folder: Path | str = ".", tell: Callable[[str], None] = _silent) -> Iterator[Shell]:
    """Log in to a machine for work by hand: a host as a pool names it, ``pool/host``, or a rented machine.

    A host of a pool goes before a rented machine, and no cloud is asked then.

    Raises:
        UsageError: when there is none of this name, several, or one that nobody can log in to.
        ConfigError: when pools are described wrongly.
        PluginError: when the executor is missing or broken.
        ExecutorError: when the machine does not answer, or lets nobody in.
    """
    with tempfile.TemporaryDirectory(prefix="longshore-shell-") as made:
        executor, address, host_key = _meant(name, Path(folder), Path(made), tell)
        if not isinstance(executor, Shells):
            raise UsageError(f"{name}: the executor of its pool lets nobody log in by hand")
        tell(f"logging in to {name}")
        shell = executor.shell(address, host_key=host_key)
        try:
            yield shell
        finally:
            shell.close()


@contextmanager
def shells_of(
    pool: str, *, folder: Path | str = ".", tell: Callable[[str], None] = _silent
) -> Iterator[Mapping[str, Callable[[], Shell]]]:
    """Name all machines of a pool: its hosts, or those of this project that are rented and run.

    Each has what logs in to it, from any thread, and raises ExecutorError as `open_shell` does. Whoever calls that
    closes the shell.

    Raises:
        UsageError: when there is no such pool, or its executor lets nobody log in.
        ConfigError: when pools are described wrongly.
        PluginError: when the executor is missing or broken.
    """
    place = Path(folder)
    pools = read_renting(place).pools
    if pool not in pools:
        close = near(pool, list(pools))
        raise UsageError(
            f"there is no pool {pool!r}; " + (f"did you mean {' or '.join(close)}?" if close else "see longshore.toml")
        )
    with tempfile.TemporaryDirectory(prefix="longshore-shell-") as made:
        executor, machines = _all_of(pools[pool], place, Path(made), tell)
        if not isinstance(executor, Shells):
            raise UsageError(f"{pool}: the executor of this pool lets nobody log in by hand")
        yield {
            name: partial(executor.shell, address, host_key=host_key) for name, (address, host_key) in machines.items()
        }


def _all_of(
    pool: PoolSpec, folder: Path, aside: Path, tell: Callable[[str], None]
) -> tuple[object, Mapping[str, tuple[str, str]]]:
    """Give the executor of a pool, and its machines: by name, address and the host key, if it is known."""
    if pool.rented is None:
        given = [host for host in given_hosts(folder, aside) if host.pool.name == pool.name]
        executor = given[0].executor if given else make_executor(Registry(), pool, folder, aside)
        return executor, {host.host: (host.host, "") for host in given}
    from longshore.machines.entering import enter_pool  # noqa: PLC0415  clouds and the ledger, which hosts do without

    return enter_pool(pool, folder, aside, tell)


def _meant(name: str, folder: Path, aside: Path, tell: Callable[[str], None]) -> tuple[object, str, str]:
    """Find the executor, the address and the host key, if it is known, of what a name means."""
    given = [host for host in given_hosts(folder, aside) if name in {host.host, host.name}]
    if len(given) > 1:
        raise UsageError(f"{name!r} could be any of {', '.join(host.name for host in given)}; name one of these")
    if given:
        return given[0].executor, given[0].host, ""
    from longshore.machines.entering import enter_machine  # noqa: PLC0415  as above

    return enter_machine(name, folder, aside, tell)
