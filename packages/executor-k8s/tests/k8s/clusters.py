"""What tests need of a cluster: the stand-in gives it, and so does a real one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

__all__ = ["IMAGE", "Cluster", "LocalFolder", "SharedFolder"]

IMAGE = "busybox:1.35.0"
"""With a version, so that a node which has it asks no registry."""


class SharedFolder(Protocol):
    """A folder that all pods see: their /tmp is their own."""

    path: str
    """Where pods see it."""
    template: Mapping[str, Any]
    """What pods must have so as to see it."""

    def read(self) -> dict[str, str]:
        """Give the content of each file."""

    def touch(self, name: str) -> None:
        """Make a file, and the folder that it is in."""

    def remove(self, name: str) -> None:
        """Remove a file."""


class Cluster(Protocol):
    """One namespace of a cluster, which nobody else uses, and what may happen to it."""

    namespace: str

    @property
    def streams(self) -> int:
        """So many streams have been opened that `cut` would have broken."""

    @property
    def kubeconfig(self) -> Path:
        """A file that leads there."""

    @property
    def shared(self) -> SharedFolder:
        """A folder for all pods; made when it is first asked for."""

    def all(self, kind: str) -> list[dict[str, Any]]:
        """List ``pods``, ``jobs``, ``leases``, ``secrets`` or ``namespaces`` that runs have made."""

    def execute(self, pod: str, argv: Sequence[str]) -> tuple[int, str]:
        """Execute a program in a pod; give its exit code and what it says."""

    def cut(self) -> None:
        """Break all streams, as a network does."""

    def delete_pod(self, name: str) -> None:
        """Delete a pod, as anybody may who is allowed to."""


class LocalFolder:
    """A folder of this computer, for pods that are its own processes."""

    template: Mapping[str, Any] = {}

    def __init__(self, folder: Path) -> None:
        self.path = str(folder)
        self._folder = folder

    def read(self) -> dict[str, str]:
        """Give the content of each file."""
        return {path.name: path.read_text() for path in sorted(self._folder.iterdir()) if path.is_file()}

    def touch(self, name: str) -> None:
        """Make a file."""
        (self._folder / name).parent.mkdir(exist_ok=True)
        (self._folder / name).touch()

    def remove(self, name: str) -> None:
        """Remove a file."""
        with suppress(FileNotFoundError):
            (self._folder / name).unlink()
