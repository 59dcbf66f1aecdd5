"""The command as its users start it."""

from __future__ import annotations

from longshore_cli.testing.harness import (
    COMMAND,
    SECONDS,
    Answer,
    Project,
    Terminal,
    end_clouds,
    end_marked,
    new_project,
    wait_for,
    wait_until,
)

__all__ = [
    "COMMAND",
    "SECONDS",
    "Answer",
    "Project",
    "Terminal",
    "end_clouds",
    "end_marked",
    "new_project",
    "wait_for",
    "wait_until",
]
