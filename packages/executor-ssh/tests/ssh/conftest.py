"""Hosts for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from longshore_ssh.testing import Lab, missing


@pytest.fixture
def lab() -> Iterator[Lab]:
    """Hosts on loopback addresses, gone afterwards."""
    reason = missing()
    if reason:
        pytest.skip(reason)
    lab = Lab()
    yield lab
    lab.close()
