"""What the contract of providers asks of whoever tests one, and how it listens."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

import pytest
from attrs import field, frozen

from longshore.errors import ProviderError
from longshore.model.machine import Machine
from longshore.model.machine_spec import MachineSpec, SideResource, Tag
from longshore.model.offer import Offer
from longshore.plugin.provider import Provider
from longshore.testing.faults import Fault

__all__ = [
    "PUBLIC_KEY",
    "KeepsImages",
    "Paid",
    "ProviderRig",
    "ReclaimsSpot",
    "ShowsFirewall",
    "answer_within",
    "failure",
    "having",
    "ids",
    "lookalikes",
    "overheard",
    "remembered_offers",
    "small_machine",
]

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIuD8oyQqD0Kk0eJmXvdtX2zyHMgtIEuPsOvdzBwaMxG me"
"""A key that clouds take."""
_LIFETIME = timedelta(hours=8)
_Ability = TypeVar("_Ability")
_SOON, _LATE = timedelta(milliseconds=500), timedelta(seconds=60)


@frozen(kw_only=True)
class Paid:
    """A machine that costs money, as the cloud's own books show it."""

    id: str
    born_tags: Mapping[str, str] = field(factory=dict[str, str])
    """The tags that were in the create call."""
    born_ends_at: datetime | None = None
    """The hard end that was in the create call."""


class ProviderRig(Protocol):
    """What the suite asks of whoever tests a provider: the provider, and a look behind the cloud's curtain.

    Where no machine could have the id ``i-1``, it has ``nobody`` too: an id that one could have, and none has.

    The actions of requests are ``create``, ``list`` and ``end`` for machines; whatever else a cloud has may have any
    name.
    """

    owner: str
    secrets: Sequence[str]
    """Texts that must not be seen anywhere: those in the boot script of `spec`, and the login's."""

    def provider(self) -> Provider:
        """Make the provider anew, as another process would."""
        ...

    def spec(self) -> MachineSpec:
        """Describe one cheap machine, with our owner and a secret in its boot script."""
        ...

    def now(self) -> datetime:
        """The cloud's time."""
        ...

    def wait(self, duration: timedelta) -> None:
        """Let it pass."""
        ...

    def paid(self) -> Sequence[Paid]:
        """List all machines in the account that cost money now, whoever's they are, without any lag."""
        ...

    def sides(self) -> Sequence[SideResource]:
        """List all side resources in the account, whoever's."""
        ...

    def crowd(self, count: int) -> None:
        """Put machines and side resources of other owners into the account, some with tags much like ours."""
        ...

    def fail(self, fault: Fault, *, on: str) -> None:
        """Let the next request of an action (``*`` for any) go wrong."""
        ...

    def requests(self) -> Sequence[tuple[str, Any]]:
        """List the requests that have arrived: action and body."""
        ...


@runtime_checkable
class ReclaimsSpot(Protocol):
    """A rig whose cloud can be told to take a spot machine back."""

    def reclaim(self, machine: str, *, after: timedelta) -> None:
        """Take it back, after so long, with the notice that the cloud gives."""
        ...


@runtime_checkable
class ShowsFirewall(Protocol):
    """A rig that can look into the firewall."""

    def admitted(self) -> Sequence[str]:
        """List the addresses that are let in, whoever's machines they may reach."""
        ...


@runtime_checkable
class KeepsImages(Protocol):
    """A rig whose cloud has a registry of images."""

    repository: str
    """The name of one of the account's own, such as ``registry.example/team/tool``; it need not be there."""

    def push(self) -> str:
        """Put an image there, another one each time; give its digest. The repository is there."""
        ...

    def pushed(self) -> Sequence[str]:
        """List the digests of the images that are there."""
        ...


def having(ability: type[_Ability], provider: object) -> _Ability:
    """Give a provider as one that has an ability; the test is skipped when it has it not."""
    if not isinstance(provider, ability):
        pytest.skip(f"it has not the ability `{ability.__name__}`")
    return provider


def answer_within(test: str) -> timedelta:
    """Say how long a rig's provider waits for each answer of its cloud, by the name of the test.

    No answer comes where law P5 is tested, and the sooner it is given up the better. Everywhere else one comes, on a
    busy computer as well.
    """
    return _SOON if "_P5_" in test else _LATE


def small_machine(offer: Offer, *, owner: str, secret: str, began: datetime) -> MachineSpec:
    """Describe one machine with a secret in its boot script, which ends eight hours after the test began."""
    return MachineSpec(
        offer=offer,
        keys=(PUBLIC_KEY,),
        boot_script=f"#!/bin/sh\nprintf %s {secret} >/etc/ssh/host_key\n",
        owner=owner,
        ledger="l-1",
        project="pv",
        run="r1",
        pool="cloud",
        ends_at=began.replace(microsecond=0) + _LIFETIME,
    )


def lookalikes(owner: str) -> Sequence[Mapping[str, str]]:
    """Give tags of others that are much like an owner's."""
    return (
        {str(Tag.OWNER): f"{owner}2"},
        {str(Tag.OWNER): owner.upper()},
        {str(Tag.PROJECT): owner},
        {"owner": owner, str(Tag.LEDGER): "l-1"},
    )


def failure(call: Callable[[], object]) -> ProviderError:
    """Give the error of a call that must fail."""
    try:
        call()
    except ProviderError as error:
        return error
    except Exception as error:  # noqa: BLE001 - whatever else gets out is what P6 forbids
        pytest.fail(f"{type(error).__name__} left the plugin: {error}")
    pytest.fail("the cloud refused, and the provider said nothing")


def ids(machines: Sequence[Machine] | Sequence[Paid]) -> list[str]:
    """List ids in order, to compare."""
    return sorted(machine.id for machine in machines)


@contextlib.contextmanager
def overheard() -> Iterator[io.StringIO]:
    """Collect what is printed or logged in the block."""
    heard = io.StringIO()
    handler = logging.StreamHandler(heard)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with contextlib.redirect_stdout(heard), contextlib.redirect_stderr(heard):
            yield heard
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


_OFFERS = """
import json, sys
from longshore.model.offer import Needs
from longshore.runtime.registry import Registry
record = Registry().provider(sys.argv[1])
config = Registry().options(record.config, json.loads(sys.argv[2]), "providers", place="")
print(json.dumps([len(record.factory(config).offers(Needs())), sorted(sys.modules)]))
"""


def remembered_offers(name: str, options: Mapping[str, Any], folder: Path) -> tuple[int, frozenset[str]]:
    """List a provider's offers twice, each time in a process of its own; give how many the second one lists, from what
    the first one has left in a folder, and the modules that it has imported.
    """
    env = {**os.environ, "XDG_CACHE_HOME": str(folder)}
    argv = [sys.executable, "-c", _OFFERS, name, json.dumps(options)]
    said = [subprocess.run(argv, check=True, capture_output=True, text=True, env=env).stdout for _ in range(2)]
    count, modules = json.loads(said[1])
    return count, frozenset(modules)
