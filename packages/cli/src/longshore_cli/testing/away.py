"""Controllers on hosts of the tests."""

from __future__ import annotations

import subprocess
import sys

__all__ = ["no_controllers"]


def no_controllers() -> str:
    """Say why no controller can be put on a host that has this computer's own python3; empty when one can."""
    try:
        told = subprocess.run(
            ["/usr/bin/python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "there is no /usr/bin/python3"
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    return "" if told == here else f"/usr/bin/python3 is Python {told}, and this one {here}"
