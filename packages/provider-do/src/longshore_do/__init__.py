"""Machines of DigitalOcean for Longshore."""

from longshore_do.config import DoConfig

__all__ = ["DoConfig"]
