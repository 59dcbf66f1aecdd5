"""Hosts that answer SSH, as machines of Longshore."""

__all__: list[str] = []
