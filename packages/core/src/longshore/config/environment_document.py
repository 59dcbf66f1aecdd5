"""Environments as JSON and back, for `longshore.config.document`."""

from __future__ import annotations

from typing import Any

from longshore.model.environment import EnvironmentSpec, Requirement, Script

__all__ = ["read_environment", "write_environment"]


def write_environment(spec: EnvironmentSpec) -> dict[str, Any]:
    """Write one."""
    return {
        "name": spec.name,
        "before": spec.before and [spec.before.name, spec.before.text],
        "pip": [[each.text, each.place] for each in spec.pip],
        "constraints": [[each.text, each.place] for each in spec.constraints],
        "pip_file": spec.pip_file,
        "python": spec.python,
        "after": spec.after and [spec.after.name, spec.after.text],
    }


def read_environment(row: dict[str, Any]) -> EnvironmentSpec:
    """Read back what `write_environment` wrote."""

    def script(words: list[Any] | None) -> Script | None:
        return None if words is None else Script(name=words[0], text=words[1])

    return EnvironmentSpec(
        name=row["name"],
        before=script(row["before"]),
        pip=tuple(Requirement(text, place) for text, place in row["pip"]),
        constraints=tuple(Requirement(text, place) for text, place in row["constraints"]),
        pip_file=row["pip_file"],
        python=row["python"],
        after=script(row["after"]),
    )
