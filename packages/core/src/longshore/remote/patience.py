"""When to try again, and when to give up: pure, so that it can be seen to be right."""

from __future__ import annotations

from attrs import define, field

__all__ = ["Patience"]

_FIRST_SECONDS = 0.1
_MOST_SECONDS = 10.0
_GOOD_SECONDS = 10.0
"""A link that lived for so long was a good one; what was before it is forgotten."""


@define(kw_only=True)
class Patience:
    """Waits longer after each failure, within a budget that begins when a good link is lost."""

    budget: float
    """Seconds."""
    _since: float | None = field(default=None, init=False)
    _linked: float | None = field(default=None, init=False)
    _delay: float = field(default=0.0, init=False)

    def linked(self, now: float) -> None:
        """Note that there is a link."""
        self._linked = now

    def lost(self, now: float) -> float:
        """Note that the link is gone; give the seconds to wait before the first try."""
        if self._since is None or (self._linked is not None and now - self._linked >= _GOOD_SECONDS):
            self._since = now
            self._delay = 0.0
        else:
            self._lengthen()
        self._linked = None
        return self._delay

    def failed(self, now: float) -> float | None:
        """Note that a try has failed; give the seconds to wait before the next, None when the budget is used up."""
        assert self._since is not None
        self._lengthen()
        left = self._since + self.budget - now
        return min(self._delay, left) if left > 0 else None

    def _lengthen(self) -> None:
        self._delay = min(max(2 * self._delay, _FIRST_SECONDS), _MOST_SECONDS)
