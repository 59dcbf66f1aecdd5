"""What this distribution announces."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from attrs import field, frozen
from attrs.validators import matches_re

from longshore.plugin import ProviderRecord, Terms, hookimpl
from longshore_rack.api import RackApi
from longshore_rack.provider import Rack

BUILT_FOR = (0, 1)  # the version of Longshore's plugin interface


@frozen(kw_only=True)
class Options:
    """What a user writes in ``[providers.rack]``."""

    url: str = field(default="https://rack.example", validator=matches_re(r"https?://\S+"))
    login: str = "RACK_TOKEN"
    """Name of the environment variable that holds the login; never the login itself."""


def make(options: Options) -> Rack:
    """Make the provider; nobody is asked anything yet."""
    terms = Terms(listing_lag=timedelta(seconds=20), settle=timedelta(seconds=40), deadline=timedelta(seconds=30))
    return Rack(RackApi(options.url, os.environ, options.login), lambda: datetime.now(UTC), terms)


@contextmanager
def rigs(_options: Options) -> Iterator[Callable[[], object]]:
    """Let `longshore plugins check` try it on a stand-in of the service."""
    from longshore_rack.stand_in import serving

    with serving() as rig:
        yield rig


@hookimpl
def longshore_providers() -> Sequence[ProviderRecord]:
    """Announce the provider."""
    return [ProviderRecord(name="rack", config=Options, factory=make, rigs=rigs, api=BUILT_FOR)]
