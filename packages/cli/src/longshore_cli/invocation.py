"""What holds for one call of the command, whatever subcommand it is."""

from __future__ import annotations

from pathlib import Path

__all__ = ["Invocation"]


class Invocation:
    """How much this call is to say, and where. Subcommands reach it as ``ctx.obj``; options fill it in."""

    def __init__(self, arguments: list[str] | None = None) -> None:
        self.arguments = arguments or []
        self.verbosity = 0
        """How often ``-v`` was given; -1 for ``-q``."""
        self.log_file: Path | None = None
        self.json = "--json" in self.arguments
        """Whether stdout is to carry exactly one JSON document, also when something fails."""
        self.began = False
        """Whether a run has begun, so that a failure is no longer a matter of usage."""

    @property
    def quiet(self) -> bool:
        """Whether only what was asked for, and failures, are to be shown."""
        return self.verbosity < 0
