"""What may be said of a store."""

from __future__ import annotations

from attrs import frozen

__all__ = ["Options"]


@frozen(kw_only=True)
class Options:
    """Nothing: who you are and where the service is, every cloud's own settings say."""
