"""What all scenarios share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from environments import Environments
from peers import Peer


@dataclass(frozen=True, kw_only=True)
class Bench:
    """The checkout that is measured, a folder to work in, the environments, and the chosen peers."""

    checkout: Path
    build: Path
    environments: Environments
    peers: tuple[Peer, ...]
