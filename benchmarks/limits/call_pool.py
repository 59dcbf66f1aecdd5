"""Call a function that does nothing in a ProcessPoolExecutor of two: the standard library's way.

Usage: call_pool.py CALLS
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor


def nothing(number: int) -> int:
    """Give the number back."""
    return number


def run(calls: int) -> int:
    """Make the calls one future each, as a user with unlike calls would; give how many came back right."""
    with ProcessPoolExecutor(max_workers=2) as pool:
        futures = [pool.submit(nothing, number) for number in range(calls)]
        return sum(future.result() == number for number, future in enumerate(futures))


if __name__ == "__main__":
    wanted = int(sys.argv[1])
    sys.exit(0 if run(wanted) == wanted else 1)
