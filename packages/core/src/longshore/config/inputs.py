"""Which files of the project each task reads: those that are named, and those that its command shows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from attrs import define, field

from longshore.config.call_words import CallWords
from longshore.config.globs import is_glob, may_meet
from longshore.config.mentions import plain_words
from longshore.config.modules import Modules
from longshore.config.problems import Problems
from longshore.config.project_files import ProjectFiles
from longshore.config.sketch import Draft
from longshore.config.urls import host_of, is_url
from longshore.config.variables import variables_in
from longshore.model.command import Argv, Call, Shell
from longshore.model.task import FileInput, FilesMatching, UrlInput

__all__ = ["Inputs"]


@define
class Inputs:
    """Looks for the inputs of tasks in the project's folder; mistakes go to ``problems``."""

    files: ProjectFiles
    private: str | None
    """The ``env_file``, which is never an input."""
    is_here: Callable[[str | None], bool]
    """Says of a pool whether it is this computer."""
    problems: Problems
    _modules: Modules = field(init=False)
    _code: dict[tuple[str, CallWords], tuple[FileInput, ...]] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self._modules = Modules(self.files)
        self.private = self.private and os.path.normpath(self.private)

    def of(self, draft: Draft, outputs: Sequence[str], pool: str | None) -> tuple[FileInput | UrlInput, ...]:
        """Give a task's inputs: what ``inputs`` names and must exist, then what follows from the rest.

        The files that a ``for_each`` found by its glob are inputs, each of its own member, as ``$name``. Guessed are
        plain words of the command that are files of the project, and the code of a called function.
        """
        if "secrets" in draft.words:
            self._check_secrets(draft)
        named: list[FileInput | UrlInput] = []
        for item in draft.inputs:
            if isinstance(item, FileInput | UrlInput):
                named.append(item)
            if isinstance(item, FileInput):
                self._check(draft, item.path)
        named += [_found(name, source.glob) for name, source in draft.for_each if isinstance(source, FilesMatching)]
        command = draft.command
        guesses = self._code_of(draft, command, pool) if isinstance(command, Call) else self._words(command)
        if not guesses:
            return tuple(dict.fromkeys(named)) if named else ()
        if not (named or outputs or "secrets" in draft.words):
            return guesses
        known = {item.path for item in named if isinstance(item, FileInput)} | self._hidden(draft)
        for guess in guesses:
            if guess.path not in known and not any(may_meet(output, guess.path) for output in outputs):
                named.append(guess)
        return tuple(dict.fromkeys(named))

    def _words(self, command: Shell | Argv) -> tuple[FileInput, ...]:
        """List plain words of a command that are files of the project."""
        words = plain_words(command, self.files.top)
        if not words:
            return ()
        paths = [os.path.normpath(word) for word in words if word.isprintable()]
        return self._guessed(path for path in paths if self.files.is_file(path))

    def _guessed(self, paths: Iterable[str]) -> tuple[FileInput, ...]:
        return tuple(FileInput(path, guessed=True) for path in dict.fromkeys(paths) if path != self.private)

    def _hidden(self, draft: Draft) -> set[str]:
        """Name what must not be guessed: where secrets come from and go to."""
        secrets = draft.words.get("secrets", {})
        return {*secrets, *(os.path.normpath(secret.file) for secret in secrets.values() if secret.file)}

    def _code_of(self, draft: Draft, call: Call, pool: str | None) -> tuple[FileInput, ...]:
        known = self._code.get((call.function, draft.code))
        if known is None:
            found = self._guessed(self._look_for_code(draft, call, self.is_here(pool)))
            known = self._code[call.function, draft.code] = found
        return known

    def _look_for_code(self, draft: Draft, call: Call, here: bool) -> list[str]:
        source = os.path.relpath(draft.code.source, self.files.folder) if draft.code.source else ""
        if not self.files.is_file(source):
            source = ""
        if draft.code.main:
            return self._modules.imported_by(source) if source else []
        if not draft.code.source:
            try:
                self._modules.check(call, here=here and draft.words.get("environment") is None)
            except ValueError as error:
                self.problems.take(("tasks", draft.name, "call"), error)
        return self._modules.code_of(call, [source] if source else [])

    def _check(self, draft: Draft, path: str) -> None:
        key = ("tasks", draft.name, "inputs")
        if self.private is not None and may_meet(path, self.private):
            remedy = "leave it out; its variables reach every task"
            self.problems.add(key, f"{path!r} takes the env_file along, whose content must not be kept", remedy)
        elif not (variables_in(path) & draft.parameters) and not self.files.exists(path):
            what = "no file matches" if is_glob(path) else "there is no file or folder"
            remedy = "write a path relative to the folder of the workflow file"
            self.problems.add(key, f"{what} {path!r}", remedy, misspelt=path, among=self.files.siblings(path))

    def _check_secrets(self, draft: Draft) -> None:
        inputs = [item.path for item in draft.inputs if isinstance(item, FileInput)]
        for name, secret in draft.words["secrets"].items():
            key = ("tasks", draft.name, "secrets", name)
            if secret.file and not (self.files.folder / Path(secret.file).expanduser()).is_file():
                self.problems.add(
                    key, f"there is no file {secret.file!r}", "put it there, or mend the path; ~ is your home"
                )
            source = os.path.normpath(secret.file) if secret.file else name
            taken = next((path for path in inputs if may_meet(path, name) or may_meet(path, source)), None)
            if taken is not None:
                self.problems.add(
                    key, f"the input {taken!r} takes the secret along, and inputs are kept", "leave it out there"
                )


def _found(parameter: str, glob: str) -> FileInput | UrlInput:
    """Give the input of a member that a glob has made: its value is the path in the project, or in the bucket."""
    return UrlInput(f"{host_of(glob)}/${parameter}") if is_url(glob) else FileInput(f"${parameter}")
