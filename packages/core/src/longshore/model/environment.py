"""Software that must be on a machine before a task: what the user wrote, and by what it is known."""

from __future__ import annotations

from hashlib import sha256

from attrs import field, frozen

from longshore.model.jsontext import json_writer

__all__ = ["BuildSpec", "EnvironmentSpec", "Requirement", "Script"]

_write = json_writer()


@frozen(kw_only=True)
class Script:
    """Text for a shell, or for what its first line names."""

    name: str
    """By what its author knows it: its file, or the key that it stands under."""
    text: str | None = None
    """None as long as the file has not been read."""


@frozen
class Requirement:
    """One line of what pip is to install, with the place that it comes from."""

    text: str
    place: str


@frozen(kw_only=True)
class EnvironmentSpec:
    """Software that must be on a machine before a task, in the order in which it is put there."""

    name: str
    before: Script | None = None
    pip: tuple[Requirement, ...] = ()
    constraints: tuple[Requirement, ...] = ()
    """What pip may choose, without being told to install it."""
    pip_file: str = ""
    """A file of requirements that has not been read yet."""
    python: str = ""
    """As in ``3.11``; empty for the one that is there."""
    after: Script | None = None

    @property
    def has_python(self) -> bool:
        """Whether it has a Python of its own."""
        return bool(self.pip or self.constraints or self.pip_file or self.python)

    @property
    def digest(self) -> str:
        """By what it is known, in hexadecimal: equal content, wherever it stood and whatever it is called."""
        content = {
            "before": self.before and self.before.text,
            "pip": [each.text for each in self.pip],
            "constraints": [each.text for each in self.constraints],
            "python": self.python,
            "after": self.after and self.after.text,
        }
        return sha256(_write(content).encode("utf-8", "surrogateescape")).hexdigest()


@frozen(kw_only=True)
class BuildSpec:
    """One build of an environment on a machine."""

    id: str
    """As an attempt's, with `longshore.model.attempt.build_name` for the task."""
    environment: EnvironmentSpec
    private_env: dict[str, str] = field(factory=dict[str, str], repr=False)
    """As in `longshore.model.attempt.AttemptSpec`."""
