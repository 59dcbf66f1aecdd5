"""A cloud without bills: a process of this computer that rents out folders in which attempts run for real."""

from longshore_sandbox.door import CloudClient

__all__ = ["CloudClient"]
