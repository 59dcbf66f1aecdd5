"""How a run is to be carried out: what the command line's flags and `Workflow.start` say beside the workflow itself."""

from __future__ import annotations

import json
from collections.abc import Iterable

from attrs import asdict, field, frozen
from attrs.validators import ge, optional

__all__ = ["RunOptions"]


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(names)


@frozen(kw_only=True)
class RunOptions:
    """Choices for one run. They are written in its journal, so that ``resume`` makes the same ones."""

    jobs: int | None = field(default=None, validator=optional(ge(1)))
    """At most so many attempts at once on this computer; None for as many as their needs allow."""
    cache: bool = True
    """Whether a task that succeeded before with the same identity is passed over."""
    rerun: tuple[str, ...] = field(default=(), converter=_names)
    """Tasks that run whatever the cache knows: ids, or names of tasks as written."""
    keep_workdirs: bool = False
    fresh: bool = False
    """Whether machines that earlier runs have kept are ended and not used."""
    copied: bool = False
    """Whether the journal is copied to a pool's bucket, so that another computer can take the run over."""
    group: str = ""
    """Names the runs that were made as repetitions of each other; empty for a run that was made alone."""

    def to_json(self) -> str:
        """Write them down."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> RunOptions:
        """Read them back; words of newer versions are passed over."""
        known = {attribute.name for attribute in cls.__attrs_attrs__}
        return cls(**{key: value for key, value in json.loads(text).items() if key in known})
