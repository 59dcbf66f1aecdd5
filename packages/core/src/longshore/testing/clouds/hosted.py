"""Stand-ins of this process whose machines are real hosts: the accounts for `longshore.testing.story`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Timer

from attrs import field, frozen

from longshore.testing.clouds.http_cloud import HttpCloud
from longshore.testing.clouds.trust import Trust
from longshore.testing.fake_hosts import FakeHosts

__all__ = ["HostedAccount", "HostedSpotAccount", "HostsOfOne", "hosted"]


@frozen
class HostsOfOne:
    """The hosts of one cloud, by their names there, on a network with those of others."""

    _hosts: FakeHosts
    _cloud: str

    @property
    def proxy_command(self) -> str:
        """The way to a host."""
        return self._hosts.proxy_command

    def boot(self, name: str, addresses: Sequence[str], data: str | None = None) -> None:
        """Switch one on."""
        self._hosts.boot(f"{self._cloud}/{name}", addresses, data)

    def cut(self, name: str, *, keep: bool = False) -> None:
        """Take its power away, and its disk unless that is to be kept."""
        self._hosts.cut(f"{self._cloud}/{name}", keep=keep)

    def living(self) -> Collection[str]:
        """Name those that have power."""
        whose = f"{self._cloud}/"
        return [name.removeprefix(whose) for name in self._hosts.living() if name.startswith(whose)]

    def wait_off(self, seconds: float) -> bool:
        """Wait until none of any cloud has power; say whether that came."""
        return self._hosts.wait_off(seconds)

    def disk(self, name: str) -> Path:
        """Give the folder of a host's disk."""
        return self._hosts.disk(f"{self._cloud}/{name}")


@frozen(kw_only=True)
class HostedAccount:
    """A `longshore.testing.story.Account` on a stand-in."""

    cloud: HttpCloud
    hosts: HostsOfOne
    provider: str
    options: str
    pool: str
    user: str
    deadline: str
    variables: Mapping[str, str] = field(repr=False)

    def machines(self) -> Collection[str]:
        """List the machines that there are."""
        return self.cloud.machines()

    def sides(self) -> Sequence[str]:
        """Name what there is beside machines."""
        return self.cloud.sides()


@frozen(kw_only=True)
class HostedSpotAccount(HostedAccount):
    """One whose machines can be taken back."""

    def reclaim(self, machine: str, *, after: timedelta) -> None:
        """Take one, after so long."""
        timer = Timer(after.total_seconds(), self.cloud.reclaim, [machine])
        timer.daemon = True
        timer.start()


@contextmanager
def hosted(
    folder: Path, trust: Trust, clouds: Mapping[str, tuple[HttpCloud, Mapping[str, str]]]
) -> Iterator[Mapping[str, HostedAccount]]:
    """Serve stand-ins with hosts under their machines, which answer at once; end all of it with the block.

    Args:
        folder: for the disks of the hosts.
        trust: by which the clouds' libraries believe them.
        clouds: by a name for each: the stand-in, and what its library finds the login by. ``{url}`` there is where the
            stand-in answers.
    """

    def off(name: str) -> None:
        cloud, _, machine = name.partition("/")
        clouds[cloud][0].powered_off(machine)

    hosts = FakeHosts(folder, off=off)
    accounts = {}
    with ExitStack() as stack:
        stack.callback(hosts.close)
        for name, (cloud, variables) in clouds.items():
            part = HostsOfOne(hosts, name)
            cloud.hosts = part
            cloud.lag = cloud.boot = timedelta(0)
            url = stack.enter_context(cloud.serving(trust.context))
            place = cloud.place
            make = HostedSpotAccount if place.spot else HostedAccount
            accounts[name] = make(
                cloud=cloud,
                hosts=part,
                provider=place.provider,
                options=place.options.format(url=url),
                pool=place.pool,
                user=place.user,
                deadline=place.deadline,
                variables={
                    "REQUESTS_CA_BUNDLE": str(trust.authority),
                    **{variable: value.format(url=url) for variable, value in variables.items()},
                },
            )
        yield accounts
