"""Run workflows of shell commands and Python calls on whatever computers their user has or can rent."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from longshore import machines
    from longshore.config.load import load
    from longshore.config.python import Param
    from longshore.errors import ConfigError, LongshoreError
    from longshore.runtime.api import Workflow
    from longshore.runtime.options import RunOptions
    from longshore.runtime.run import Run, resume, start
    from longshore.runtime.simulating import Assumptions, simulate
    from longshore.scheduler.virtual import VirtualMachine

__all__ = [
    "Assumptions",
    "ConfigError",
    "LongshoreError",
    "Param",
    "Run",
    "RunOptions",
    "VirtualMachine",
    "Workflow",
    "load",
    "machines",
    "resume",
    "simulate",
    "start",
]

# Loaded when first used: the supervisor and the command's --help import this package too, and need none of it.
_HOMES = {
    "Assumptions": "longshore.runtime.simulating",
    "ConfigError": "longshore.errors",
    "LongshoreError": "longshore.errors",
    "Param": "longshore.config.python",
    "Run": "longshore.runtime.run",
    "RunOptions": "longshore.runtime.options",
    "VirtualMachine": "longshore.scheduler.virtual",
    "Workflow": "longshore.runtime.api",
    "load": "longshore.config.load",
    "resume": "longshore.runtime.run",
    "simulate": "longshore.runtime.simulating",
    "start": "longshore.runtime.run",
}


def __getattr__(name: str) -> Any:
    if name == "machines":
        return import_module("longshore.machines")
    if name not in _HOMES:
        raise AttributeError(f"module 'longshore' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
