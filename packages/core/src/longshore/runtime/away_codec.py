"""Events that only some runs have, as bodies of the journal, and back; for `longshore.runtime.codec`, which imports
this with the first of them. Those about rented machines are in `longshore.runtime.lease_event_codec`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from longshore.model.environment_events import BuildIntended, EnvironmentBuilt, EnvironmentFailed
from longshore.model.move_events import HomeLost, InputsStaged, Moved, MoveFailed, ObjectsDiscarded
from longshore.model.outcome import FailureClass
from longshore.runtime import lease_event_codec
from longshore.runtime.codec import read_artifacts, write_artifacts

__all__ = ["DECODERS", "ENCODERS"]

Body = dict[str, Any]

ENCODERS: Mapping[str, Callable[[Any], Body]] = MappingProxyType(
    {
        **lease_event_codec.ENCODERS,
        "BuildIntended": lambda e: {"environment": e.environment, "number": e.number, "machine": e.machine},
        "EnvironmentBuilt": lambda e: {
            "environment": e.environment,
            "number": e.number,
            "key": e.key,
            "lock": e.lock,
            **({"locks": e.locks} if e.locks else {}),
            "python": e.python,
            "reused": e.reused,
        },
        "EnvironmentFailed": lambda e: {
            "environment": e.environment,
            "number": e.number,
            "failure": None if e.failure is None else e.failure.value,
            "evidence": e.evidence,
        },
        "HomeLost": lambda e: {"reason": e.reason},
        "InputsStaged": lambda e: {"task": e.task, "attempt": e.attempt},
        "MoveFailed": lambda e: {
            "artifact": write_artifacts((e.artifact,))[0],
            "source": e.source,
            "failure": e.failure.value,
            "reason": e.reason,
            **({"target": e.target} if e.target else {}),
            **({"lost": True} if e.lost else {}),
        },
        "Moved": lambda e: {
            "artifacts": write_artifacts(e.artifacts),
            "source": e.source,
            **({"target": e.target, "straight": e.straight} if e.target else {}),
        },
        "ObjectsDiscarded": lambda e: {"machine": e.machine, "digests": e.digests},
    }
)

DECODERS: Mapping[str, Callable[[datetime, Body], Any]] = MappingProxyType(
    {
        **lease_event_codec.DECODERS,
        "BuildIntended": lambda at, b: BuildIntended(
            at=at, environment=b["environment"], number=b["number"], machine=b["machine"]
        ),
        "EnvironmentBuilt": lambda at, b: EnvironmentBuilt(
            at=at,
            environment=b["environment"],
            number=b["number"],
            key=b["key"],
            lock=b["lock"],
            locks=tuple((name, content) for name, content in b.get("locks", ())),
            python=b["python"],
            reused=b["reused"],
        ),
        "EnvironmentFailed": lambda at, b: EnvironmentFailed(
            at=at,
            environment=b["environment"],
            number=b["number"],
            failure=None if b["failure"] is None else FailureClass(b["failure"]),
            evidence=b["evidence"],
        ),
        "HomeLost": lambda at, b: HomeLost(at=at, reason=b["reason"]),
        "InputsStaged": lambda at, b: InputsStaged(at=at, task=b["task"], attempt=b["attempt"]),
        "MoveFailed": lambda at, b: MoveFailed(
            at=at,
            artifact=read_artifacts([b["artifact"]])[0],
            source=b["source"],
            failure=FailureClass(b["failure"]),
            reason=b["reason"],
            target=b.get("target", ""),
            lost=b.get("lost", False),
        ),
        "Moved": lambda at, b: Moved(
            at=at,
            artifacts=read_artifacts(b["artifacts"]),
            source=b["source"],
            target=b.get("target", ""),
            straight=b.get("straight", False),
        ),
        "ObjectsDiscarded": lambda at, b: ObjectsDiscarded(at=at, machine=b["machine"], digests=tuple(b["digests"])),
    }
)
