"""Whole runs on machines of Azure: each is a host that executes the boot data it was sent."""

from __future__ import annotations

from longshore.testing.provider_story import ProviderStory


class TestStory(ProviderStory):
    """All of it; the account is that of ``conftest.py``."""
