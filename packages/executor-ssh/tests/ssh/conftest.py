"""Hosts for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .sshd import Lab, available


@pytest.fixture
def lab() -> Iterator[Lab]:
    """Hosts on loopback addresses, gone afterwards."""
    reason = available()
    if reason:
        pytest.skip(reason)
    lab = Lab()
    yield lab
    lab.close()
