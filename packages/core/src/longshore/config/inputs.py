"""Which files of the project each task reads: those that are named, and those that its command shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from longshore.config.globs import may_meet
from longshore.config.mentions import plain_words
from longshore.config.problems import Problems
from longshore.config.project_files import ProjectFiles
from longshore.config.sketch import Draft
from longshore.config.variables import variables_in
from longshore.model.task import FileInput, FilesMatching, UrlInput

__all__ = ["inputs_of"]


def inputs_of(draft: Draft, outputs: Iterable[str], files: ProjectFiles, private: str | None, problems: Problems) -> tuple[FileInput | UrlInput, ...]:
    """Give a task's inputs: what ``inputs`` names and must exist, then what is guessed.

    A plain word of the command that is a file of the project is one, and so is each file that a ``for_each`` found by its glob
    (for its own member, as ``$name``), and the code of a called function. ``private`` is the ``env_file``, which is never one.
    """
    named: list[FileInput | UrlInput] = []
    for item in draft.inputs:
        if isinstance(item, UrlInput):
            named.append(item)
        elif isinstance(item, FileInput):
            named.append(item)
            _check(draft, item.path, files, private, problems)
    known = {item.path for item in named if isinstance(item, FileInput)}
    hidden = {private, *draft.words.get("secrets", ())}
    written = tuple(outputs)
    for path in _guesses(draft, files):
        if path not in known and path not in hidden and not any(may_meet(output, path) for output in written):
            known.add(path)
            named.append(FileInput(path, guessed=True))
    return tuple(named)


def _guesses(draft: Draft, files: ProjectFiles) -> Iterator[str]:
    for word in plain_words(draft.command, files.top):
        path = word.removeprefix("./")
        if files.is_file(path):
            yield path
    for name, source in draft.for_each:
        if isinstance(source, FilesMatching):
            yield f"${name}"


def _check(draft: Draft, path: str, files: ProjectFiles, private: str | None, problems: Problems) -> None:
    key = ("tasks", draft.name, "inputs")
    if path == private:
        problems.add(key, f"{path!r} is the env_file, whose content must not be kept", "take it out; its variables reach every task")
    elif not (variables_in(path) & draft.parameters) and not files.exists(path):
        what = "no file matches" if any(char in path for char in "*?[") else "there is no file or folder"
        remedy = "write a path relative to the folder of the workflow file"
        problems.add(key, f"{what} {path!r}", remedy, misspelt=path, among=files.siblings(path))
