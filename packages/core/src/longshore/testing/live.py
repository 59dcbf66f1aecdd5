"""One story for a real account: rent, run, bring home, end, and look that nothing is left. For 0.10 USD at most.

Nothing here runs unless it is asked for: `wanted` is what a test of a provider asks first.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from longshore.errors import UsageError
from longshore.machines import gc
from longshore.machines import list as list_machines
from longshore.runtime.run import Run

__all__ = ["MOST", "play", "wanted"]

MOST = "0.10 USD"
"""All that the story may cost; a machine without a price is not rented under it."""
_VARIABLE = "LONGSHORE_LIVE"
_PATIENCE = timedelta(minutes=15)
_STORY = """
name = "live"
max_cost = "{most}"

[providers.{name}]
{options}

[pools.cloud]
provider = "{name}"
executor = "{executor}"
machines = {{ max = 1 }}
lifetime = "30 min"
unattended = "10 min"
{pool}

[tasks.raw]
command = "seq 100 > raw.txt"
outputs = ["raw.txt"]
pool = "cloud"

[tasks.sum]
command = "cat workflow:///raw/raw.txt | wc -l > sum.txt"
outputs = ["sum.txt"]
pool = "cloud"
"""


def wanted(name: str) -> bool:
    """Say whether the user wants a provider to be tried for real: its name is among those in ``LONGSHORE_LIVE``."""
    return name in os.environ.get(_VARIABLE, "").split(",")


def play(folder: Path, name: str, *, options: str = "", pool: str = "", executor: str = "ssh") -> Run:
    """Play the story in an empty folder; give the run. Whatever happens, what it has rented is ended and proven gone.

    Args:
        folder: for the project.
        name: the provider's.
        options: lines of its table.
        pool: lines that say which machine; it costs so little that its lifetime is below the limit.
        executor: how its machines are reached.

    Raises:
        UsageError: when the user has not asked for this, or something is left that may cost money.
    """
    if not wanted(name):
        raise UsageError(f"this costs money; say {_VARIABLE}={name} if it is meant")
    text = _STORY.format(most=MOST, name=name, options=options, pool=pool, executor=executor)
    (folder / "longshore.toml").write_text(text)
    try:
        run = _run(folder)
    finally:
        left = gc(folder, providers=[name], patience=_PATIENCE)
    shown = list_machines(folder, providers=[name], resources=True)
    if not left.clean or shown.machines or shown.resources or shown.unasked:
        raise UsageError(f"something may be left in the account, look at it: {left}; {shown}")
    return run


def _run(folder: Path) -> Run:
    from longshore import load, start  # noqa: PLC0415  what the package offers is loaded when it is used

    loaded = load(folder / "longshore.toml")
    with start(loaded.spec, loaded.folder) as run:
        run.wait(timeout=_PATIENCE.total_seconds())
    return run
