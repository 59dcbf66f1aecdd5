"""The provider keeps the laws; and what only it can know."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from longshore_rack.api import RackApi
from longshore_rack.plugin import Options, longshore_providers, make
from longshore_rack.provider import Rack
from longshore_rack.stand_in import serving

from longshore.errors import CloudUnreachable, CredentialsError
from longshore.plugin import Identity, Stoppable, Terms
from longshore.testing import FakeRig, ProviderContract


@pytest.fixture(scope="module")
def rigs() -> Iterator[Callable[[], FakeRig]]:
    with serving() as made:
        yield made


@pytest.fixture
def rig(rigs: Callable[[], FakeRig]) -> FakeRig:
    return rigs()


class TestLaws(ProviderContract):
    """All of them, and those of its two abilities."""


def test_it_is_announced_and_made_without_asking_anybody() -> None:
    (record,) = longshore_providers()
    provider = make(Options())
    assert (record.name, record.config) == ("rack", Options)
    assert isinstance(provider, Stoppable)
    assert isinstance(provider, Identity)


def test_a_service_that_never_answers_is_given_up_by_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        terms = Terms(deadline=timedelta(seconds=0.2))
        provider = Rack(RackApi(f"http://127.0.0.1:{port}", {}, "RACK"), lambda: datetime.now(UTC), terms)
        with pytest.raises(CloudUnreachable, match="timed out"):
            provider.find(owner="me")


def test_a_missing_login_is_named_so(rig: FakeRig) -> None:
    provider = rig.provider()
    assert isinstance(provider, Rack)
    stranger = Rack(RackApi(provider._api._url, {}, "RACK"), provider._now, provider.terms)
    with pytest.raises(CredentialsError, match="401"):
        stranger.scope()
