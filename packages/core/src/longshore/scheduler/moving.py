"""What events change in the whereabouts of data; for `longshore.scheduler.apply` alone.

Every function here is for runs that have machines with stores of their own, and returns at once in others.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from attrs import evolve

from longshore.model.artifact import Artifact, Input
from longshore.model.events import AttemptEnded, Identified
from longshore.scheduler.losing import lose_object
from longshore.scheduler.state import RunState, TaskState
from longshore.scheduler.whereabouts import Elsewhere

if TYPE_CHECKING:
    from longshore.model.move_events import InputsStaged, Moved, MoveFailed

__all__ = [
    "arrive",
    "at_home",
    "is_read",
    "is_staged",
    "move_failed",
    "must_settle",
    "must_travel",
    "needs_staging",
    "settled",
    "wrote",
]

MOVE_ATTEMPTS = 3
"""So often is an object asked for that cannot be brought home for another reason than that it is not there."""


def needs_staging(state: RunState, task: TaskState) -> bool:
    """Say whether something must travel before an attempt can run on the machine it was given."""
    if not state.where.stores or not task.view.inputs:
        return False
    store = state.where.stores.get(state.machines[task.machine].store)
    if store is None:
        return any(must_travel(state, each) for each in task.view.inputs)
    return any(each.sha256 not in store for each in task.view.inputs)


def must_travel(state: RunState, read: Input, store: str = "") -> bool:
    """Say whether an input is neither at home nor in a store, so that another machine has to give it."""
    where = state.where
    has = where.stores.get(store, ())
    if not read.origin or read.sha256 in has or (read.sha256, read.kind) in where.arrived:
        return False
    if read.sha256 in where.elsewhere:
        return True
    # A file of a folder that a task wrote: where the folder is, there it is, too.
    folders = [each.sha256 for each in state.tasks[read.origin].outputs if each.kind == "folder"]
    away = [sha256 for sha256 in folders if sha256 in where.elsewhere]
    return bool(away) and not any(sha256 in has for sha256 in away)


def is_staged(state: RunState, event: InputsStaged) -> bool:
    """Note that an attempt's inputs are in its machine's store; say whether it was waiting for that."""
    task = state.tasks[event.task]
    if event.task not in state.where.staging or task.attempts != event.attempt:
        return False
    del state.where.staging[event.task]
    store = state.where.stores.get(state.machines[task.machine].store)
    if store is not None:
        store.update(each.sha256 for each in task.view.inputs if each.sha256)
    return True


def is_read(state: RunState, item: Identified) -> None:
    """Note what an attempt reads on its machine of which nothing was known when it was given to it."""
    task = state.tasks[item.task]
    if item.outputs is None and not all(each.sha256 for each in task.view.inputs):
        task.identity = item.identity
        task.view = evolve(task.view, inputs=item.inputs)


def wrote(state: RunState, task: TaskState, outputs: Iterable[Artifact]) -> None:
    """Note where the outputs of an attempt are."""
    where = state.where
    store = where.stores.get(state.machines[task.machine].store)
    if store is None:
        at_home(state, outputs)
        return
    garbage = where.garbage.get(state.machines[task.machine].store, OrderedDict[str, None]())
    for artifact in outputs:
        store.add(artifact.sha256)
        garbage.pop(artifact.sha256, None)
        where.given_up.pop(artifact.sha256, None)
        if (artifact.sha256, artifact.kind) not in where.arrived:
            listed = (artifact.sha256, "file") in where.arrived
            entry = where.elsewhere.setdefault(artifact.sha256, Elsewhere(artifact, listed=listed))
            entry.tasks[task.task.id] = None


def at_home(state: RunState, outputs: Iterable[Artifact]) -> None:
    """Note that outputs are in the project's store at once: whoever writes the same elsewhere adds nothing."""
    where = state.where
    if where.stores:
        where.arrived.update((each.sha256, each.kind) for each in outputs if each.sha256 not in where.elsewhere)


def must_settle(state: RunState, task: TaskState, outputs: Iterable[Artifact]) -> Iterator[tuple[Artifact, str]]:
    """List what has to travel before a task has succeeded, and where to: to a bucket, or without a name home.

    Where the pool has a bucket, everything goes there; of a machine that can vanish everything comes home else. Home
    comes what is collected there, and the listings of folders: which tasks read what of them is found out at home.
    """
    elsewhere = state.where.elsewhere
    machine = state.machines[task.machine]
    kept = state.where.stores.get(machine.bucket, ())
    read = task.readers or state.groups[task.view.name].readers
    collect = task.task.spec.collect
    for each in outputs:
        entry = elsewhere.get(each.sha256)
        if entry is None:
            continue
        if (collect is not None and each.path == collect.source) or (machine.vanishes and not machine.bucket):
            yield each, ""
            continue
        if machine.bucket and each.sha256 not in kept:
            yield each, machine.bucket
        if read and each.kind == "folder" and not entry.listed:
            yield evolve(each, kind="file", size=0), ""


def arrive(state: RunState, event: Moved) -> list[str]:
    """Note what has come home, or elsewhere; name the tasks that may have settled by that."""
    where = state.where
    touched: dict[str, None] = {}
    if event.target:
        store = state.store_of(event.target)
        if store in where.stores:
            where.stores[store].update(each.sha256 for each in event.artifacts)
        for artifact in event.artifacts if store in where.buckets else ():
            entry = where.elsewhere.get(artifact.sha256)
            touched.update(entry.tasks if entry is not None else {})
        return [name for name in touched if name in where.settling]
    for artifact in event.artifacts:
        where.arrived.add((artifact.sha256, artifact.kind))
        entry = where.elsewhere.get(artifact.sha256)
        if entry is None:
            continue
        touched.update(entry.tasks)
        if artifact.kind == entry.artifact.kind:
            del where.elsewhere[artifact.sha256]
        else:
            entry.listed = True
    return [name for name in touched if name in where.settling]


def settled(state: RunState, name: str) -> AttemptEnded | None:
    """Give the end of a task's attempt when all has come home that must; None while it has not."""
    event = state.where.settling[name]
    if any(must_settle(state, state.tasks[name], event.outputs)):
        return None
    return state.where.settling.pop(name)


def move_failed(state: RunState, event: MoveFailed) -> list[str]:
    """Note that something could not be brought home; name the tasks that have failed by that.

    What is missing or damaged over there is lost with that copy. What fails for other reasons is tried again some
    times, until those fail that need it.
    """
    if event.lost:
        return lose_object(state, event)
    where = state.where
    sha256 = event.artifact.sha256
    target = state.store_of(event.target)
    where.failures[sha256, target] += 1
    if where.failures[sha256, target] < MOVE_ATTEMPTS:
        return []
    del where.failures[sha256, target]
    failing = [
        name
        for name in where.staging
        if state.machines[state.tasks[name].machine].store == target
        and any(each.sha256 == sha256 for each in state.tasks[name].view.inputs)
    ]
    if target and target not in where.buckets:
        return failing
    failing += [name for name, ended in where.settling.items() if any(each.sha256 == sha256 for each in ended.outputs)]
    if not failing and not target:
        where.given_up[sha256] = event.reason
    return failing
