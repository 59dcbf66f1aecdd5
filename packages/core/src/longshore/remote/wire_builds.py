"""Builds of environments as orders for a supervisor, and what it tells of them as events."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from longshore.model.environment import BuildSpec, Requirement
from longshore.model.environment_events import EnvironmentBuilt, EnvironmentFailed
from longshore.model.outcome import FailureClass
from longshore.remote.wire import Order

__all__ = ["build_ended", "build_order"]


def build_order(build: BuildSpec) -> Order:
    """Write a build of an environment down as an order. It takes no room that tasks could have."""
    spec = build.environment
    message: dict[str, Any] = {"op": "go", "id": build.id, "cpus": 0.0}
    message["build"] = {
        "name": spec.name,
        "digest": spec.digest,
        "before": spec.before and [spec.before.name, spec.before.text],
        "image": spec.image,
        "apt": _rows(spec.apt),
        "conda": _rows(spec.conda),
        "conda_file": spec.conda_file and [spec.conda_file.name, spec.conda_file.text],
        "channels": spec.channels,
        "pip": _rows(spec.pip),
        "constraints": _rows(spec.constraints),
        "python": spec.python,
        "own_python": spec.has_python,
        "julia": _rows(spec.julia),
        "julia_files": [[each.name, each.text] for each in spec.julia_files],
        "after": spec.after and [spec.after.name, spec.after.text],
    }
    if build.private_env:
        message["private"] = build.private_env
    return Order(message)


def _rows(lines: Sequence[Requirement]) -> list[list[str]]:
    return [[each.text, each.place] for each in lines]


def build_ended(environment: str, number: int, told: Mapping[str, Any]) -> EnvironmentBuilt | EnvironmentFailed:
    """Read the ``ended`` of a build."""
    at = datetime.now(UTC)
    if "result" in told:
        built = json.loads(told["result"])
        return EnvironmentBuilt(
            at=at,
            environment=environment,
            number=number,
            key=built["key"],
            lock=built["lock"],
            locks=tuple(sorted(built["locks"].items())),
            python=built["python"],
            reused=built.get("reused", False),
        )
    failure = None
    if not (told.get("never") or "cancelled" in told):
        failure = FailureClass(told.get("failure", FailureClass.ENVIRONMENT.value))
        if failure is FailureClass.USER_CODE:
            # The builder itself was killed, or could not be started.
            failure = FailureClass.ENVIRONMENT
    evidence = told.get("evidence") or told.get("lost", "")
    return EnvironmentFailed(at=at, environment=environment, number=number, failure=failure, evidence=evidence)
