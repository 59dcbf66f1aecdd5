"""Which timers this system has: those of the user's systemd, cron's, and those that we keep ourselves."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from longshore.errors import UsageError
from longshore.runtime.ledger_file import default_path, locked
from longshore_cli.scheduling.cron import CronTimers
from longshore_cli.scheduling.entry import Timers
from longshore_cli.scheduling.kept import KeptTimers
from longshore_cli.scheduling.systemd import SystemdTimers

__all__ = ["all_timers", "alone", "keeper_lock", "kept_timers", "usable_timers"]


def usable_timers() -> Timers:
    """Choose the timers of this system; our own go before, where somebody keeps them.

    Raises:
        UsageError: when it has none.
    """
    kept = kept_timers()
    if kept.works():
        return kept
    systemctl, crontab = shutil.which("systemctl"), shutil.which("crontab")
    if systemctl is not None:
        timers = SystemdTimers(_units(), systemctl)
        if timers.works():
            return timers
    if crontab is not None:
        return CronTimers(crontab)
    raise UsageError(
        "there is neither a systemd for users nor cron here; install cron, or leave `longshore schedule keep` running"
    )


def all_timers() -> list[Timers]:
    """List all of them, also where they do nothing now."""
    systemctl, crontab = shutil.which("systemctl"), shutil.which("crontab")
    found: list[Timers] = [kept_timers()]
    if systemctl is not None:
        found.append(SystemdTimers(_units(), systemctl))
    if crontab is not None:
        found.append(CronTimers(crontab))
    return found


def kept_timers() -> KeptTimers:
    """Give those that `longshore schedule keep` starts."""
    return KeptTimers(default_path(os.environ).parent / "schedules")


def keeper_lock() -> Path:
    """Say which file whoever keeps them holds."""
    return default_path(os.environ).parent / "schedules.keeper"


def _units() -> Path:
    home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(home).expanduser() / "systemd" / "user"


def alone() -> contextlib.AbstractContextManager[None]:
    """Keep others of ours from changing a crontab at the same time."""
    state = default_path(os.environ).parent
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    return locked(state / "schedules.lock")
