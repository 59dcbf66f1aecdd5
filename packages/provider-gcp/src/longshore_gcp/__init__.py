"""Machines of Google Cloud for Longshore."""

from longshore_gcp.config import GcpConfig

__all__ = ["GcpConfig"]
