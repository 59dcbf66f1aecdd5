"""Software that must be on a machine before a task: what the user wrote, and by what it is known."""

from __future__ import annotations

from hashlib import sha256

from attrs import field, frozen

from longshore.model.jsontext import json_writer

__all__ = ["BUILD_MARK", "BuildSpec", "EnvironmentSpec", "Requirement", "Script", "build_name", "environment_of"]

BUILD_MARK = "+"
"""Begins the name under which an environment is built, where an attempt has its task's: no task's name does."""

_write = json_writer()


def build_name(environment: str) -> str:
    """Give the name that stands for a task's in the ids of an environment's builds."""
    return BUILD_MARK + environment


def environment_of(task: str) -> str:
    """Give the environment that an attempt id's task means; empty when it is a task."""
    return task[len(BUILD_MARK) :] if task.startswith(BUILD_MARK) else ""


@frozen(kw_only=True)
class Script:
    """Text for a shell, for what its first line names, or for the tool that a key is about."""

    name: str
    """By what its author knows it: its file, or the key that it stands under."""
    text: str | None = None
    """None as long as the file has not been read."""


@frozen
class Requirement:
    """One line of what is to be installed, with the place that it comes from."""

    text: str
    place: str


@frozen(kw_only=True)
class EnvironmentSpec:
    """Software that must be on a machine before a task, in the order in which it is put there."""

    name: str
    path: str = ""
    """A conda environment or venv of this computer, which has not been read yet; then it says all but the scripts."""
    image: str = ""
    """A container image, in which tasks are executed; what comes next is put there."""
    before: Script | None = None
    apt: tuple[Requirement, ...] = ()
    conda: tuple[Requirement, ...] = ()
    conda_file: Script | None = None
    """Instead of these: a description of an environment as conda has it, or a list of exact packages."""
    channels: tuple[str, ...] = ()
    pip: tuple[Requirement, ...] = ()
    constraints: tuple[Requirement, ...] = ()
    """What pip may choose, without being told to install it."""
    pip_file: str = ""
    """A file of requirements that has not been read yet."""
    python: str = ""
    """As in ``3.11``; empty for the one that is there."""
    julia: tuple[Requirement, ...] = ()
    julia_files: tuple[Script, ...] = ()
    """Instead of these: a project's ``Project.toml`` and, if it has one, ``Manifest.toml``."""
    after: Script | None = None

    @property
    def has_conda(self) -> bool:
        """Whether conda installs something."""
        return bool(self.conda or self.conda_file)

    @property
    def has_python(self) -> bool:
        """Whether it has a Python of its own that pip installs into."""
        return bool(self.pip or self.constraints or self.pip_file or self.python)

    @property
    def digest(self) -> str:
        """By what it is known, in hexadecimal: equal content, wherever it stood and whatever it is called."""
        content = {
            "image": self.image,
            "before": self.before and self.before.text,
            "apt": [each.text for each in self.apt],
            "conda": [each.text for each in self.conda],
            "conda file": self.conda_file and self.conda_file.text,
            "channels": self.channels,
            "pip": [each.text for each in self.pip],
            "constraints": [each.text for each in self.constraints],
            "python": self.python,
            "julia": [each.text for each in self.julia],
            "julia files": [each.text for each in self.julia_files],
            "after": self.after and self.after.text,
        }
        return sha256(_write(content).encode("utf-8", "surrogateescape")).hexdigest()


@frozen(kw_only=True)
class BuildSpec:
    """One build of an environment on a machine."""

    id: str
    """As an attempt's, with `build_name` for the task."""
    environment: EnvironmentSpec
    private_env: dict[str, str] = field(factory=dict[str, str], repr=False)
    """As in `longshore.model.attempt.AttemptSpec`."""
