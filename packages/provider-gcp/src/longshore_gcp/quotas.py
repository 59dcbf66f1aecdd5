"""Which of a region's quotas a machine takes of."""

from __future__ import annotations

import re

from longshore.model.offer import Offer

__all__ = ["metrics", "used_by"]

_MACHINES = re.compile(r"INSTANCES|(?:[A-Z0-9]+_)*CPUS|(?:[A-Z0-9]+_)*GPUS")
_COMMON = frozenset({"e2", "f1", "g1", "n1"})
"""Series whose processors count for the quota that is called CPUS."""


def metrics(name: str) -> bool:
    """Say whether a quota is about machines, their processors or GPUs."""
    return _MACHINES.fullmatch(name) is not None and not name.startswith("COMMITTED")


def used_by(offer: Offer) -> dict[str, float]:
    """Say how much of which quota one machine takes. Google leaves out those that a project has none of."""
    series = offer.type.partition("-")[0]
    cpus = "CPUS" if series in _COMMON else f"{series.upper()}_CPUS"
    needed = {"INSTANCES": 1.0, cpus: max(1.0, offer.resources.cpus)}
    if offer.resources.gpus:
        model = offer.gpu_model.upper().replace("-", "_").replace("NVIDIA_TESLA_", "NVIDIA_")
        preemptible = "PREEMPTIBLE_" if offer.spot else ""
        needed[f"{preemptible}{model}_GPUS"] = float(offer.resources.gpus)
    return needed
