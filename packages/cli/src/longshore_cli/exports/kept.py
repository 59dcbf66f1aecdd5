"""The files of a run that a crate has: those that are at home, and still what the run read or made."""

from __future__ import annotations

import shutil
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from attrs import define, field

from longshore.model.artifact import Artifact
from longshore.remote.digest import digest_file, digest_folder
from longshore_cli.exports.ran import RanTask

__all__ = ["Kept", "input_place", "result_place"]


@define
class Kept:
    """What of a run is in the crate; the rest is only named."""

    to: Path
    places: set[str] = field(factory=set[str])

    def keep(self, source: Path, place: str, artifact: Artifact) -> None:
        """Copy an output that is at home and is still what the task wrote."""
        if artifact.kind == "file":
            self.keep_file(source, place, artifact.sha256)
        elif source.is_dir() and digest_folder(str(source)).sha256 == artifact.sha256:
            shutil.copytree(source, self.to / place, symlinks=True)
            self.places.add(place)

    def keep_file(self, source: Path, place: str, sha256: str) -> None:
        """Copy a file that still has this digest."""
        if place in self.places or not source.is_file() or digest_file(str(source))[0] != sha256:
            return
        target = self.to / place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        self.places.add(place)

    def id_of(self, place: str, sha256: str, *, folder: bool = False) -> str:
        """Name a file or folder: by its place in the crate, else by its digest, as RFC 6920 does."""
        if place in self.places:
            return quote(place) + ("/" if folder else "")
        digest = urlsafe_b64encode(bytes.fromhex(sha256)).decode().rstrip("=")
        return f"ni:///sha-256;{digest}"

    def outputs(self, folder: str, outputs: Iterable[Artifact]) -> list[str]:
        """Name what a task made."""
        return [self.id_of(result_place(folder, each), each.sha256, folder=each.kind == "folder") for each in outputs]

    def inputs(self, task: RanTask) -> list[str]:
        """Name the files of the project that a task read."""
        return [self.id_of(input_place(path), sha256) for path, sha256 in task.inputs.items()]


def result_place(folder: str, output: Artifact) -> str:
    """Say where an output lies in a crate."""
    return f"results/{folder}/{output.path}"


def input_place(path: str) -> str:
    """Say where a file of the project lies in a crate."""
    return f"inputs/{path}"
