"""How often an account may call EC2 in a region, as AWS documents it: a bucket of tokens for each action.

https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = ["refused"]

_RATES: Mapping[str, tuple[float, float]] = {
    "RunInstances": (5, 2),
    "StartInstances": (5, 2),
    "StopInstances": (100, 5),
    "TerminateInstances": (100, 5),
}
"""How much a bucket holds, and how much comes in a second."""
_LOOKS = (50, 10)
"""The smaller one of two: without filters and pages."""
_CHANGES = (50, 5)


def refused(calls: Iterable[tuple[float, str]]) -> list[tuple[float, str]]:
    """Say which of these calls, at times in seconds, AWS would have refused; only EC2's are looked at."""
    left: dict[str, tuple[float, float]] = {}
    too_many = []
    for at, name in sorted(calls):
        service, _, action = name.partition(":")
        if service != "ec2":
            continue
        most, a_second = _RATES.get(action, _LOOKS if action.startswith("Describe") else _CHANGES)
        tokens, since = left.get(action, (most, at))
        tokens = min(most, tokens + (at - since) * a_second)
        if tokens < 1 - 1e-6:
            too_many.append((at, name))
        else:
            tokens -= 1
        left[action] = (tokens, at)
    return too_many
