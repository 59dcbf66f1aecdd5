"""A computer we can reach: this one, a given host, or one rented for the run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from attrs import field, frozen

from longshore.model.resources import Resources
from longshore.model.times import aware

__all__ = ["Machine", "MachineState"]


class MachineState(StrEnum):
    """How a rented machine is, as its cloud reports it; one that has ended is not reported at all."""

    STARTING = "starting"
    RUNNING = "running"
    IMPAIRED = "impaired"
    """It runs, and the cloud's own checks say that something is wrong with it."""
    STOPPED = "stopped"
    """Powered off and still ours; most clouds go on charging for its disk, some for all of it."""
    ENDING = "ending"


def _frozen(mapping: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(dict(mapping))


@frozen(kw_only=True)
class Machine:
    """A computer that can take attempts. The clouds' own words stay inside their plugins."""

    id: str
    """Unique within the run."""
    pool: str
    resources: Resources
    slots: int | None = None
    """At most so many attempts at once; None for no such limit."""
    address: str = ""
    """As its executor reaches it: a host, with the user who logs in before an ``@`` where the provider knows; empty
    when it has none yet.
    """
    tags: Mapping[str, str] = field(factory=dict[str, str], converter=_frozen)
    type: str = ""
    """The cloud's own name of its type; empty when it is not rented."""
    region: str = ""
    zone: str = ""
    spot: bool = False
    store: str | None = None
    """Which store its attempts read and write: ``""`` is the project's, which they share with us; None is one of its
    own. Machines that name the same one share it, as hosts with a common file system do.
    """
    state: MachineState = MachineState.RUNNING
    born: datetime | None = field(default=None, validator=aware)
    """When the cloud made it; None when it does not tell, or when it is not rented."""
