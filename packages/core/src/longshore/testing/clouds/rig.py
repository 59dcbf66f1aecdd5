"""What the rigs of providers on stand-ins have in common, as the contract of providers asks for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from longshore.model.machine_spec import MachineSpec
from longshore.model.offer import Offer
from longshore.plugin.catalogue import Catalogue
from longshore.testing.clouds.http_cloud import HttpCloud
from longshore.testing.faults import Fault
from longshore.testing.provider_rig import answer_within, lookalikes, small_machine

__all__ = ["StandInRig"]

Cloud = TypeVar("Cloud", bound=HttpCloud)


class StandInRig(Generic[Cloud]):
    """An account on a stand-in. A subclass is a `longshore.testing.provider_rig.ProviderRig` when it has a provider
    and a look behind the curtain.
    """

    owner = "me"
    secrets: Sequence[str] = ("s3cr3t-host-key",)
    """The first one is in the boot script of `spec`."""
    offer: ClassVar[Offer]
    """What `spec` is of: something cheap."""

    def __init__(self, cloud: Cloud, url: str, folder: Path, *, test: str = "") -> None:
        """Take the stand-in, where it answers, a folder for what providers remember, and the name of the test."""
        self.cloud = cloud
        self.url = url
        self.folder = folder
        self.answer = answer_within(test)
        self._made = 0
        self._began = self.now()

    def options(self, **given: Any) -> dict[str, Any]:
        """Complete a provider's options by who is let in and how long a call may take, as far as they are not given."""
        return {"admit": ("203.0.113.7/32",), "deadline": timedelta(minutes=1) + 6 * self.answer, **given}

    def catalogue(self) -> Catalogue:
        """Give a provider that is made anew nothing to remember."""
        self._made += 1
        return Catalogue(self.folder / str(self._made), now=lambda: datetime.now(UTC))

    def spec(self) -> MachineSpec:
        """Describe a small machine."""
        return small_machine(self.offer, owner=self.owner, secret=self.secrets[0], began=self._began)

    def colleagues(self, count: int) -> Iterator[Mapping[str, str]]:
        """Give the tags of so many machines of others, much like ours."""
        return islice(cycle(lookalikes(self.owner)), count)

    def now(self) -> datetime:
        """The cloud's time."""
        return self.cloud.now()

    def wait(self, duration: timedelta) -> None:
        """Let it pass."""
        self.cloud.wait(duration)

    def fail(self, fault: Fault, *, on: str) -> None:
        """Arrange a mishap."""
        self.cloud.fail(fault, on=on)

    def requests(self) -> Sequence[tuple[str, Any]]:
        """List what has arrived."""
        return self.cloud.requests()
