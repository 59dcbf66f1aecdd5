"""What must travel next, and what machines need not keep; the part of `longshore.scheduler.decide` about data.

Pure, like all of that. Nothing here is asked for in a run whose machines all use the project's store.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice

from attrs import evolve

from longshore.model.artifact import Artifact, Input
from longshore.scheduler.actions import Action, Deliver, MakeMembers
from longshore.scheduler.away_actions import Discard, Move, StageAttempt
from longshore.scheduler.building import waits_of
from longshore.scheduler.moving import must_settle, must_travel
from longshore.scheduler.state import DONE, ENDED, RunState, TaskState

__all__ = ["demands", "rescues"]

_SETTLING = 1000
"""So many tasks' outputs are asked for at once; the others follow."""


def demands(state: RunState, most: int, *, members: bool) -> Iterator[Action]:
    """Say what can be delivered, what has to travel, and with ``members`` of which tasks these can be made."""
    yield from _deliveries(state, most)
    yield from _travels(state, most)
    if members:
        yield from _member_makings(state)


def _deliveries(state: RunState, most: int) -> Iterator[Deliver]:
    """Ask for results to be delivered that are at home, or that will never be."""
    for name in islice(state.undelivered, most):
        if not any(True for _ in _away(state, state.tasks[name].outputs)):
            yield Deliver(name)


def _member_makings(state: RunState) -> Iterator[MakeMembers]:
    """Ask for the members of tasks whose values are at home."""
    for name in state.unmade:
        if not any(True for _ in _values(state, name)):
            yield MakeMembers(name)


def _travels(state: RunState, most: int) -> Iterator[Action]:
    """Ask for all that must move now, and for what need not be kept."""
    where = state.where
    machines = _machines(state)
    places = _places(state, machines)
    yield from _stages(state)
    asked: set[tuple[str, str, str]] = set()
    for artifact, origin, store in _of_staging(state):
        if not store or store in machines:
            yield from _move(state, places, artifact, origin, asked, store)
    for artifact, target in _of_settling(state):
        # The machine that has just written it; what it is asked for does not change when a bucket has it, too.
        yield from _move(state, machines, artifact, "", asked, target)
    for artifact in chain(
        (each for name in state.unmade for each in _values(state, name)),
        (each for name in islice(state.undelivered, most) for each in _away(state, state.tasks[name].outputs)),
    ):
        yield from _move(state, places, artifact, "", asked)
    if where.garbage:
        yield from _discards(state, machines)


def rescues(state: RunState, most: int) -> list[Move]:
    """Ask home, before a run ends that has failed, what its unsuccessful tasks would have read: machines keep nothing
    of a run that has ended, and the same work need not be done again when the mistake has been mended.
    """
    places = _places(state, _machines(state))
    asked: set[tuple[str, str, str]] = set()
    wanted: list[Move] = []
    for task in state.tasks.values():
        if len(wanted) >= most:
            break
        if task.phase in ENDED - DONE:
            for producer in _producers(state, task):
                for artifact in _away(state, producer.outputs):
                    wanted += _move(state, places, artifact, "", asked)
    return wanted


def _producers(state: RunState, task: TaskState) -> Iterator[TaskState]:
    for name, group in waits_of(state, task.task):
        for each in state.groups[group].members.values() if name is None else (name,):
            yield state.tasks[each]


def _machines(state: RunState) -> dict[str, str]:
    """Say by which machine each store can be reached now: always the same one of several."""
    found: dict[str, str] = {}
    for machine in state.machines.values():
        if machine.store and machine.linked and not machine.gone:
            found.setdefault(machine.store, machine.id)
    return found


def _places(state: RunState, machines: dict[str, str]) -> dict[str, str]:
    """Say from where what each store has can be had now; buckets first, as they have more ways out than a machine."""
    return {**{bucket: bucket for bucket in state.where.buckets}, **machines}


def _stages(state: RunState) -> Iterator[StageAttempt]:
    for name in state.where.staging:
        task = state.tasks[name]
        machine = state.machines[task.machine]
        if name in state.cancelling or not machine.linked:
            continue
        if not any(must_travel(state, each, machine.store) for each in task.view.inputs):
            yield StageAttempt(name, task.attempts, task.machine)


def _of_staging(state: RunState) -> Iterator[tuple[Artifact, str, str]]:
    """List what attempts wait for that others have: what, who wrote it, and the store where it is wanted."""
    for name in state.where.staging:
        if name in state.cancelling:
            continue
        task = state.tasks[name]
        store = state.machines[task.machine].store
        for each in task.view.inputs:
            if must_travel(state, each, store):
                yield _artifact(each), each.origin, store


def _of_settling(state: RunState) -> Iterator[tuple[Artifact, str]]:
    for name, event in islice(state.where.settling.items(), _SETTLING):
        yield from must_settle(state, state.tasks[name], event.outputs)


def _values(state: RunState, name: str) -> Iterator[Artifact]:
    """List what is not at home of the outputs that give values to a task's parameters."""
    placeholder = next(iter(state.groups[name].members.values()))
    for producer in _producers(state, state.tasks[placeholder]):
        yield from _away(state, producer.outputs)


def _away(state: RunState, outputs: Iterable[Artifact]) -> Iterator[Artifact]:
    for each in outputs:
        if each.sha256 in state.where.elsewhere and each.sha256 not in state.where.given_up:
            yield each


def _artifact(read: Input) -> Artifact:
    return Artifact(path=f"{read.origin}/...", sha256=read.sha256, size=read.size, kind=read.kind)


def _move(
    state: RunState,
    places: dict[str, str],
    artifact: Artifact,
    origin: str,
    asked: set[tuple[str, str, str]],
    target: str = "",
) -> Iterator[Move]:
    """Ask for an artifact in a store, once, if a place can be reached that has it."""
    key = (artifact.sha256, artifact.kind, target)
    if key in asked:
        return
    asked.add(key)
    where = state.where
    wholes = [artifact.sha256]
    entry = where.elsewhere.get(artifact.sha256)
    if entry is not None:
        # The same object is asked for in the same words, whoever needs it.
        artifact = evolve(entry.artifact, path=f"{next(iter(entry.tasks))}/{entry.artifact.path}", kind=artifact.kind)
    elif origin:
        wholes = [each.sha256 for each in state.tasks[origin].outputs if each.sha256 in where.elsewhere]
    for store, place in places.items():
        if any(sha256 in where.stores[store] for sha256 in wholes):
            failures = where.failures.get((artifact.sha256, target), 0)
            yield Move(artifact, place, failures, places.get(target, target))
            return


def _discards(state: RunState, machines: dict[str, str]) -> Iterator[Discard]:
    where = state.where
    needed = {each.sha256 for name in state.live for each in state.tasks[name].view.inputs}
    needed |= {each.sha256 for event in where.settling.values() for each in event.outputs}
    for store, garbage in where.garbage.items():
        digests = tuple(sha256 for sha256 in garbage if sha256 not in needed)
        if digests and store in machines:
            yield Discard(machines[store], digests)
