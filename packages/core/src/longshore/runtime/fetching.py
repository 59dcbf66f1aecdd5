"""Copying what tasks have written to a folder that somebody names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from attrs import field, frozen

from longshore.errors import StagingError
from longshore.model.artifact import Artifact
from longshore.runtime.pools import used_pools
from longshore.runtime.results import deliver
from longshore.scheduler.apply import selected
from longshore.scheduler.state import DONE, RunState

__all__ = ["Fetched", "fetch", "from_buckets"]


@frozen(kw_only=True)
class Fetched:
    """What came, and what did not."""

    written: tuple[Path, ...]
    missing: Mapping[str, str] = field(factory=dict[str, str])
    """Tasks that have succeeded and whose outputs cannot be had, and why."""
    unready: tuple[str, ...] = ()
    """Tasks that have not succeeded."""


def fetch(state: RunState, store: Path, to: Path, names: Sequence[str], bring: Callable[[Artifact], None]) -> Fetched:
    """Copy the outputs of tasks that have succeeded, all or these, and their tables, each into its folder below ``to``.

    What is there already is replaced by files of the same names; the rest of the folder stays. ``bring`` brings home
    what is elsewhere, and raises `StagingError` when it cannot.

    Raises:
        StagingError: when the folder cannot be written.
    """
    try:
        to.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StagingError(f"{to} cannot be written: {error.strerror}") from error
    tasks = list(selected(state, names)) if names else list(state.tasks.values())
    groups = [state.groups[name] for name in (names or list(state.groups)) if name in state.groups]
    wanted: dict[str, tuple[str, Sequence[Artifact]]] = {
        each.task.id: (each.task.folder, each.outputs) for each in tasks if each.phase in DONE
    }
    wanted |= {f"{each.spec.name} (its table)": (each.spec.name, each.table) for each in groups}
    written: list[Path] = []
    missing: dict[str, str] = {}
    for name, (folder, outputs) in wanted.items():
        try:
            for each in outputs:
                _have(state, name, each, bring)
            written += deliver(store, outputs, to / folder) if outputs else ()
        except StagingError as error:
            missing[name] = str(error)
    unready = tuple(each.task.id for each in tasks if each.phase not in DONE)
    return Fetched(written=tuple(written), missing=missing, unready=unready)


def from_buckets(state: RunState, run: str, store: Path) -> Callable[[Artifact], None]:
    """Say how `fetch` gets what is elsewhere while nobody controls the run: what buckets have comes from there."""
    from longshore.runtime.areas import areas_of  # noqa: PLC0415  few runs have any

    areas = areas_of(used_pools(state), run, store)

    def bring(artifact: Artifact) -> None:
        having = [area for url, area in areas.items() if artifact.sha256 in state.where.stores.get(url, ())]
        if not having:
            raise StagingError(f"{artifact.path} is on machines only; `longshore resume` finds it while they keep it")
        having[0].fetch(artifact)

    return bring


def _have(state: RunState, name: str, artifact: Artifact, bring: Callable[[Artifact], None]) -> None:
    """See to it that an artifact is at home.

    Raises:
        StagingError: when it is not to be had.
    """
    if name in state.where.lost:
        raise StagingError(state.where.lost[name])
    if artifact.sha256 in state.where.elsewhere:
        bring(artifact)
