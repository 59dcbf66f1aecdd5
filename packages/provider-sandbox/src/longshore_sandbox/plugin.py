"""What this distribution announces: a provider, and the executor for its machines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from longshore.plugin import ExecutorRecord, ProviderRecord, hookimpl
from longshore_sandbox.config import ExecutorConfig, SandboxConfig
from longshore_sandbox.executor import SandboxExecutor
from longshore_sandbox.provider import SandboxProvider

__all__ = ["longshore_executors", "longshore_providers"]

_BUILT_FOR = (0, 1)


@hookimpl
def longshore_providers() -> Sequence[ProviderRecord]:
    """Announce the cloud."""
    return [
        ProviderRecord(
            name="sandbox",
            config=SandboxConfig,
            factory=SandboxProvider,
            executors=("sandbox",),
            rigs=_rigs,
            tested="itself: its machines are folders and processes of this computer",
            api=_BUILT_FOR,
        )
    ]


def _rigs(config: SandboxConfig) -> AbstractContextManager[Callable[[], object]]:
    from longshore_sandbox.rigs import rigs  # noqa: PLC0415 - it needs the test runner

    return rigs(config)


@hookimpl
def longshore_executors() -> Sequence[ExecutorRecord]:
    """Announce the link to its machines."""
    return [ExecutorRecord(name="sandbox", config=ExecutorConfig, factory=SandboxExecutor, api=_BUILT_FOR)]
