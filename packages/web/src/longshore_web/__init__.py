"""Longshore's web page: runs as they are and were, in a browser on this computer."""

__all__: list[str] = []
