"""The image that the pods of a pool are made of, when it is built for them: once for its content, and pushed.

What is about to be made is in the run's folder before it is made, one file for each tag. So whoever takes the run over
finds what there is, and whoever tidies up knows what to remove.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from longshore.errors import EnvironmentBuildError, LongshoreError
from longshore.plugin.clusters import RegistryLogin
from longshore_k8s.builders import find_builder
from longshore_k8s.config import ImageBuild
from longshore_k8s.contexts import Context, frozen_context
from longshore_k8s.names import label_value
from longshore_k8s.registries import Repository

__all__ = ["Images"]

_log = logging.getLogger(__name__)

_FOLDER = "images"
_RUN_LABEL = "longshore.run"


class Images:
    """The images of one pool in one run."""

    def __init__(
        self,
        build: ImageBuild,
        registry: str,
        login: Callable[[], RegistryLogin | None],
        deleted: Callable[[str], bool],
        run_folder: Path,
    ) -> None:
        """Nothing is built or asked for. ``registry`` names the repository, such as ``host/team/tool``; ``deleted``
        deletes an image by its digest where registries of that kind do it by a way of their own, and says whether.
        """
        self._deleted = deleted
        self._build = build
        self._login = login
        self._repository = Repository(registry, login)
        self._run_folder = run_folder
        self._folder = run_folder / _FOLDER

    def reference(self, project: Path, run: str, *, remove: bool) -> str:
        """Give the name, with its digest, of the image that the run uses; it is built and pushed when there is none.

        With ``remove`` it is the run's own, so that its removal takes nothing from anybody else.

        Raises:
            EnvironmentBuildError: when it cannot be built or pushed.
            MachineUnreachable: when the registry does not answer.
            ExecutorError: when the registry does not let us in.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with _alone(project / ".longshore"):
            for tag, note in self._notes():
                if note.get("digest"):
                    return f"{self._repository.name}@{note['digest']}"
                if note.get("removed"):
                    return f"{self._repository.name}:{tag}"  # the run is over; nothing is built for its tidying up
            with frozen_context(self._build, project, self._folder) as context:
                tag = f"{context.tag}-{label_value(run)}" if remove else context.tag
                digest = self._repository.digest(tag)
                if digest is None:
                    digest = self._make(context, tag, {_RUN_LABEL: run} if remove else {}, remove=remove)
                else:
                    _log.info("%s:%s is in the registry already", self._repository.name, tag)
            self._note(tag, digest=digest, remove=remove)
        return f"{self._repository.name}@{digest}"

    def remove(self) -> None:
        """Delete what was made for the run alone, from the registry and from here; silent for what is gone.

        Raises:
            MachineUnreachable: when the registry does not answer.
            ExecutorError: when the registry does not let us.
        """
        for tag, note in self._notes():
            if not note.get("remove") or note.get("removed"):
                continue
            digest = self._repository.digest(tag) or note.get("digest")
            if digest and not self._deleted(digest):
                self._repository.delete(digest)
            with suppress(EnvironmentBuildError):
                find_builder().forget(f"{self._repository.name}:{tag}", self._log_of(tag))
            self._note(tag, digest=digest or "", remove=True, removed=True)

    def remove_or_tell(self) -> None:
        """Do as `remove`; what goes wrong is told, and `longshore k8s gc` can try again."""
        try:
            self.remove()
        except LongshoreError as error:
            _log.warning("an image of the run is left in %s: %s", self._repository.name, error)

    def left(self) -> bool:
        """Whether something is there that `remove` would delete."""
        return any(note.get("remove") and not note.get("removed") for _, note in self._notes())

    def _make(self, context: Context, tag: str, labels: dict[str, str], *, remove: bool) -> str:
        name, log = f"{self._repository.name}:{tag}", self._log_of(tag)
        builder = find_builder()
        self._note(tag, remove=remove)
        _log.warning("%s builds %s of %s; what it says is in %s", builder.name, name, self._build.context, log)
        builder.build(context, name, labels, log)
        builder.push(name, self._login(), log)
        digest = self._repository.digest(tag)
        if digest is None:
            raise EnvironmentBuildError(f"{name} was pushed, and the registry does not have it")
        return digest

    def _log_of(self, tag: str) -> Path:
        return self._folder / f"{tag}.log"

    def _notes(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for path in sorted(self._folder.glob("*.json")):
            note = json.loads(path.read_bytes())
            if note["repository"] == self._repository.name and note["build"] == self._words():
                yield path.stem, note

    def _note(self, tag: str, **words: Any) -> None:
        """Write down what is there, or is about to be: whole, and before anything follows from it."""
        note = {"repository": self._repository.name, "build": self._words(), **words}
        part = self._folder / f"{tag}.part"
        with part.open("w") as file:
            json.dump(note, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._folder / f"{tag}.json")

    def _words(self) -> list[str]:
        return [self._build.context, self._build.dockerfile]


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one build of a project go on at a time, so that nothing is built twice at once."""
    with (folder / "images.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
