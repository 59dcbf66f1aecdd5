"""One call of a launch: what is sent, and what came of it. The ledger is not touched here, so threads may do this."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from attrs import field, frozen

from longshore.errors import CloudUnreachable, LongshoreError
from longshore.model.lease import Lease
from longshore.model.machine import Machine
from longshore.model.machine_spec import MachineSpec
from longshore.plugin.provider import Provider
from longshore.runtime.parallel import in_parallel

__all__ = ["LaunchCall", "launch_all"]

_MOST = 8
"""So many calls are under way at once; clouds refuse whoever asks much faster."""
_PATIENCE = timedelta(seconds=60)


@frozen(kw_only=True, eq=False)
class LaunchCall:
    """The call of a launch that is about to be asked for, or asked for again; the ledger knows of it."""

    before: Lease
    """As the lease was before."""
    lease: Lease
    spec: MachineSpec = field(repr=False)
    token: str = field(repr=False)

    def __str__(self) -> str:
        return self.lease.id

    def ask(self, provider: Provider) -> Machine | LongshoreError:
        """Make the call; give the machine, or what was raised."""
        try:
            (machine,) = provider.launch(self.spec, token=self.token)
        except LongshoreError as error:
            return error
        return machine


def launch_all(provider: Provider, launches: Sequence[LaunchCall]) -> Mapping[LaunchCall, Machine | LongshoreError]:
    """Make calls, several at once; an answer that is too late to be waited for is as good as none."""
    rounds = -(-len(launches) // _MOST)
    within = rounds * provider.terms.deadline + _PATIENCE
    answers = in_parallel(lambda launch: launch.ask(provider), launches, within=within, most=_MOST)
    late = CloudUnreachable("the launch was not answered in time")
    return {launch: answers.get(launch, late) for launch in launches}
