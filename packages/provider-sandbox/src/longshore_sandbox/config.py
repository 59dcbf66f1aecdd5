"""Options of the provider and the executor, and the file by which a sandbox is told how to behave."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from attrs import field, frozen
from attrs.validators import ge, gt, in_, min_len

from longshore.errors import ConfigError, Problem
from longshore.model.quantity import parse_duration, parse_size
from longshore.plugin import state_folder
from longshore.runtime.plugin_options import structure
from longshore.testing import ManualClock
from longshore.testing.fake_cloud_parts import CloudHabits, Kind
from longshore.testing.faults import Fault, RealTime, Time

__all__ = [
    "CloudSettings",
    "ExecutorConfig",
    "KindRow",
    "ReclaimRow",
    "SandboxConfig",
    "default_folder",
    "read_settings",
]

SETTINGS = "cloud.toml"
CLOCK = "clock"


def default_folder(environ: Mapping[str, str]) -> Path:
    """Say where a user's sandbox is: in the folder of his state."""
    return state_folder(environ) / "sandbox"


def _whole(folder: Path | str | None) -> Path:
    return default_folder(os.environ) if folder is None else Path(folder).expanduser().absolute()


@frozen(kw_only=True)
class SandboxConfig:
    """Options of ``[providers.sandbox]``."""

    folder: Path = field(default=None, converter=_whole)
    """Where the cloud keeps its machines and its books; one cloud for each folder."""
    account: str = field(default="me", validator=min_len(1))
    """Who pays, in play money."""


@frozen(kw_only=True)
class ExecutorConfig:
    """Options of a pool with ``executor = "sandbox"``."""

    reconnect: timedelta = field(default=timedelta(seconds=10), validator=ge(timedelta(0)))
    """How long a link may be down before the machine counts as gone."""


@frozen(kw_only=True)
class KindRow:
    """One ``[[kinds]]``: a type of machine in a zone."""

    type: str = field(validator=min_len(1))
    region: str = "north"
    zone: str = "north-a"
    cpus: float = field(validator=gt(0))
    memory: int = field(converter=parse_size, validator=gt(0))
    rate: str | None = None
    """Play money for an hour, in USD; without it nobody knows the price."""
    changes: Mapping[str, str] = field(factory=dict[str, str])
    """New rates, by how long after the cloud's beginning, as in ``{ "1 h" = "0.20" }``."""
    spot: bool = False
    capacity: int = field(default=1_000, validator=ge(0))
    """So many there are."""


@frozen(kw_only=True)
class ReclaimRow:
    """One ``[[reclaims]]``: so long after the cloud's beginning all spot machines of a type are taken back."""

    after: timedelta
    type: str


_KINDS = (
    KindRow(type="small", cpus=2, memory="4 GiB", rate="0.10"),
    KindRow(type="small", cpus=2, memory="4 GiB", rate="0.03", spot=True),
    KindRow(type="large", cpus=8, memory="32 GiB", rate="0.40"),
    KindRow(type="large", cpus=8, memory="32 GiB", rate="0.12", spot=True),
    KindRow(type="large", region="south", zone="south-a", cpus=8, memory="32 GiB", rate="0.44"),
)


@frozen(kw_only=True)
class CloudSettings:
    """What ``cloud.toml`` in the sandbox's folder says; all of it may be left out."""

    kinds: tuple[KindRow, ...] = _KINDS
    clock: str = field(default="real", validator=in_(("real", "manual")))
    """``manual``: time passes only when it is moved, by ``python -m longshore_sandbox advance 1h`` or `ManualClock`."""
    seed: int = 0
    """Decides what goes wrong by chance."""
    latency: timedelta = timedelta(milliseconds=20)
    listing_lag: timedelta = timedelta(milliseconds=500)
    deadline: timedelta = field(default=timedelta(seconds=5), validator=gt(timedelta(0)))
    """A call that is not answered by then fails."""
    quota: int = field(default=20, validator=ge(0))
    """Machines for each account."""
    honours_keys: bool = True
    """Whether a request that is repeated with its key makes nothing new."""
    power_off_still_costs: bool = False
    notice: timedelta = timedelta(minutes=2)
    """So long before a spot machine goes, it is announced."""
    reclaims: tuple[ReclaimRow, ...] = ()
    faults: Mapping[str, float] = field(factory=dict[str, float])
    """How often a request goes wrong, by fault: "throttled", "capacity", "hang", "reply lost", "partial", ..."""

    def habits(self) -> CloudHabits:
        """Say how the cloud behaves.

        Raises:
            ValueError: when there is no such fault.
        """
        return CloudHabits(
            listing_lag=self.listing_lag,
            latency=self.latency,
            honours_keys=self.honours_keys,
            power_off_still_costs=self.power_off_still_costs,
            quota=self.quota,
            reclaims=tuple((row.after, row.type) for row in self.reclaims),
            notice=self.notice,
            faults={Fault(name): rate for name, rate in self.faults.items()},
        )

    def rented(self) -> tuple[Kind, ...]:
        """List what the cloud rents."""
        return tuple(
            Kind(
                type=row.type,
                region=row.region,
                zone=row.zone,
                cpus=row.cpus,
                memory_bytes=row.memory,
                rate=row.rate,
                spot=row.spot,
                capacity=row.capacity,
                changes=tuple((parse_duration(after), rate) for after, rate in row.changes.items()),
            )
            for row in self.kinds
        )

    def time(self, folder: Path) -> Time:
        """Give the cloud's clock."""
        if self.clock == "real":
            return RealTime()
        return ManualClock(folder / CLOCK, datetime.now(UTC).replace(microsecond=0))


def read_settings(folder: Path) -> CloudSettings:
    """Read ``cloud.toml``; where there is none, everything is as usual.

    Raises:
        ConfigError: with every mistake in it.
    """
    path = folder / SETTINGS
    try:
        values = tomllib.loads(path.read_text())
    except FileNotFoundError:
        return CloudSettings()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError([Problem(place=str(path), key="", message=str(error))]) from error
    settings = structure(CloudSettings, values, "", place=str(path), plugin="longshore-sandbox")
    try:
        settings.habits()
        settings.rented()
    except ValueError as error:
        remedy = f"faults are {', '.join(Fault)}"
        raise ConfigError([Problem(place=str(path), key="", message=str(error), remedy=remedy)]) from error
    return settings
