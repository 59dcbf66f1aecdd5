"""The laws of providers, on Azure's own protocol."""

from __future__ import annotations

from longshore.testing.provider_contract import ProviderContract


class TestContract(ProviderContract):
    """All of them; the rig is that of ``conftest.py``."""
