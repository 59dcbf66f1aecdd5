"""The tools that Longshore is compared with, each started by its own command line."""

from __future__ import annotations

from peers.base import CommandLine, Peer
from peers.builders import MAKE, NINJA, PARALLEL, XARGS
from peers.engines import DOIT, LUIGI, PARSL, PREFECT, SNAKEMAKE, SNAKEMAKE_GREEDY

PEERS = (XARGS, MAKE, NINJA, PARALLEL, DOIT, SNAKEMAKE, SNAKEMAKE_GREEDY, PARSL, LUIGI, PREFECT)

__all__ = ["PEERS", "CommandLine", "Peer"]
