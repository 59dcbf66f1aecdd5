"""The scenarios by name. `fan-250` asks for a family at a size of one's own."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from functools import partial

from scenarios.away import away_attach_scenario, away_status_scenario
from scenarios.base import Contender, Scenario
from scenarios.buckets import headers_scenario, listing_scenario
from scenarios.clusters import file_scenario, pending_scenario, pods_scenario, workers_scenario
from scenarios.deciding import assign_scenario, simulate_scenario
from scenarios.far import (
    SHELLS,
    far_chain_scenario,
    far_fan_scenario,
    far_file_scenario,
    far_files_scenario,
    far_hosts_scenario,
    far_idle_scenario,
)
from scenarios.graphs import chain_scenario, diamond_scenario, done_scenario, fan_scenario, layered_scenario
from scenarios.limits_of_size import (
    collect_scenario,
    memory_scenario,
    plan_scenario,
    report_scenario,
    resume_scenario,
    status_scenario,
)
from scenarios.renting import CLOUDS, again_scenario, first_task_family, first_task_scenario, offers_scenario
from scenarios.seeing import (
    airflow_scenario,
    page_event_scenario,
    page_idle_scenario,
    page_scenario,
    terminal_scenario,
)
from scenarios.small import calls_scenario, help_scenario, import_scenario, waiting_scenario

FAMILIES: Mapping[str, Callable[[int], Scenario]] = {
    "fan": fan_scenario,
    "chain": chain_scenario,
    "layered": layered_scenario,
    "done": done_scenario,
    "calls": calls_scenario,
    "plan": plan_scenario,
    "resume": resume_scenario,
    "status": status_scenario,
    "report": report_scenario,
    "page": page_scenario,
    "collect": collect_scenario,
    "memory": memory_scenario,
    "assign": assign_scenario,
    "simulate": simulate_scenario,
    "bucket-list": listing_scenario,
    "bucket-headers": headers_scenario,
    "ssh": far_fan_scenario,
    **{f"ssh-{shell}": partial(far_fan_scenario, kind=shell) for shell in SHELLS},
    "ssh-chain": far_chain_scenario,
    "ssh-files": far_files_scenario,
    "ssh-hosts": far_hosts_scenario,
    "ssh-idle": far_idle_scenario,
    "k8s-pods": pods_scenario,
    "k8s-workers": workers_scenario,
    "k8s-pending": pending_scenario,
    "away-status": away_status_scenario,
    "away-attach": away_attach_scenario,
    **{first_task_family(each): partial(first_task_scenario, provider=each) for each in CLOUDS},
}

_STANDARD = (
    fan_scenario(1_000),
    fan_scenario(10_000),
    chain_scenario(200),
    diamond_scenario(),
    layered_scenario(1_000),
    done_scenario(1_000),
    calls_scenario(10_000),
    plan_scenario(100_000),
    resume_scenario(10_000),
    status_scenario(10_000),
    report_scenario(10_000),
    page_scenario(10_000),
    page_idle_scenario(),
    page_event_scenario(),
    terminal_scenario("watch", "from the end of an attempt until a full screen shows it"),
    terminal_scenario("logs", "from the moment at which a task writes a line until a terminal shows it"),
    airflow_scenario(),
    collect_scenario(10_000),
    help_scenario(),
    import_scenario(),
    waiting_scenario(),
    memory_scenario(100_000),
    assign_scenario(1_000),
    simulate_scenario(10_000),
    listing_scenario(100_000),
    headers_scenario(500),
    far_fan_scenario(1_000),
    *(far_fan_scenario(1_000, shell) for shell in SHELLS),
    far_chain_scenario(100),
    far_file_scenario(),
    far_files_scenario(10_000),
    far_hosts_scenario(50),
    far_idle_scenario(50),
    pods_scenario(200),
    workers_scenario(1_000),
    file_scenario(),
    pending_scenario(10_000),
    away_status_scenario(10_000),
    away_attach_scenario(10_000),
    *(first_task_scenario(machines, each) for each in CLOUDS for machines in (1, 50)),
    again_scenario(),
    *map(offers_scenario, CLOUDS),
    offers_scenario(*CLOUDS),
)
SCENARIOS: Mapping[str, Scenario] = {scenario.name: scenario for scenario in _STANDARD}


class UnknownScenario(Exception):
    """There is no scenario of this name; the text names the nearest ones."""


def find(name: str) -> Scenario:
    """Give a scenario by name, or one of a family at any size."""
    if name in SCENARIOS:
        return SCENARIOS[name]
    family, _, size = name.rpartition("-")
    if family in FAMILIES and size.isdecimal() and int(size) > 0:
        return FAMILIES[family](int(size))
    near = difflib.get_close_matches(name, SCENARIOS, n=3) or list(SCENARIOS)
    raise UnknownScenario(f"no scenario {name!r}: did you mean {', '.join(near)}? (see --list)")


__all__ = ["FAMILIES", "SCENARIOS", "Contender", "Scenario", "UnknownScenario", "find"]
