"""Executors that each break one law, and are caught by it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from longshore.errors import InputMissing
from longshore.model.artifact import Artifact
from longshore.model.attempt import AttemptSpec, Item, environment_of, split_attempt_id
from longshore.model.environment import BuildSpec, Script
from longshore.model.environment_events import EnvironmentBuilt, EnvironmentFailed
from longshore.model.events import AttemptEnded, AttemptStarted, MachineGone
from longshore.model.load import MachineLoad
from longshore.model.machine import Machine
from longshore.model.outcome import Cancelled, Exited, FailureClass
from longshore.plugin.protocols import Session
from longshore.remote.digest import digest_file
from longshore.remote.store import StagingProblem, has_object, object_path
from longshore.testing import ExecutorContract
from longshore.testing.executor_bench import Told

from .wrapping import IMPATIENT_SECONDS, MutantBench, WrappedSession, Wrapping, far

LAWS = ExecutorContract()
AGAIN = 99


class ExecutesAgain(WrappedSession):
    """Going again executes again."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._gone: set[str] = set()

    def go(self, attempt: str) -> None:
        if attempt not in self._gone:
            self._gone.add(attempt)
            self.inner.go(attempt)
            return
        run, task, _ = split_attempt_id(attempt)
        again = attrs.evolve(self.specs[attempt], id=f"{run}/{task}/{AGAIN}")
        self.inner.create(again)
        self.inner.go(again.id)

    def tell(self, *events: Told) -> None:
        kept = [e for e in events if not isinstance(e, AttemptStarted) or e.attempt != AGAIN]
        self.sink(*(attrs.evolve(e, attempt=1) if isinstance(e, AttemptEnded) else e for e in kept))


class DiesWithTheLink(WrappedSession):
    """What runs ends when the link does."""

    def drop(self) -> None:
        for identity in self.specs:
            self.inner.cancel(identity)
        self.inner.drop()


class Forgets(WrappedSession):
    """Knows nothing of what has ended."""

    def adopt(self, attempts: Collection[str]) -> None:
        for attempt in attempts:
            self.inner.release(attempt)
        self.inner.adopt(attempts)


class SilentOfTheUnknown(WrappedSession):
    """Says nothing of what was never started."""

    def tell(self, *events: Told) -> None:
        self.sink(*(e for e in events if not (isinstance(e, AttemptEnded) and e.started_at is None)))


class KeepsForEver(WrappedSession):
    """Releases nothing."""

    def release(self, attempt: str) -> None:
        return


class HalfAnOutcome(WrappedSession):
    """After a crash an exit code is whatever was written of it."""

    def tell(self, *events: Told) -> None:
        self.sink(*(attrs.evolve(e, outcome=Exited(0)) if isinstance(e, AttemptEnded) else e for e in events))


class CancelledTwice(WrappedSession):
    """Says so each time it is asked."""

    def tell(self, *events: Told) -> None:
        for event in events:
            self.sink(event)
            if isinstance(event, AttemptEnded) and event.outcome == Cancelled():
                self.sink(event)


class LeavesDaemons(WrappedSession):
    """Says that it has ended everything, and has not."""

    def cancel(self, attempt: str) -> None:
        _, task, number = split_attempt_id(attempt)
        now = datetime.now(UTC)
        self.sink(AttemptEnded(at=now, task=task, attempt=number, outcome=Cancelled()))


class TruncatesLogs(WrappedSession):
    """Brings only the beginning of large output."""

    def tell(self, *events: Told) -> None:
        for event in events:
            if isinstance(event, AttemptEnded):
                for path in self.context.run_folder.glob(f"logs/{event.task}.{event.attempt}.*"):
                    os.truncate(path, min(path.stat().st_size, 1 << 16))
        self.sink(*events)


class BelievesWhatItPuts(WrappedSession):
    """Sends bytes whatever their digest should be."""

    def create(self, attempt: AttemptSpec) -> None:
        super().create(attrs.evolve(attempt, inputs=tuple(self._found(item) for item in attempt.inputs)))

    def put(self, attempt: str, items: Sequence[Item]) -> None:
        self.inner.put(attempt, [self._found(item) for item in items])

    def _found(self, item: Item) -> Item:
        source = object_path(str(self.context.store_folder), item.sha256)
        sha256, size = digest_file(source)
        return attrs.evolve(item, sha256=sha256, size=size, source=source)


class HalfAFile(WrappedSession):
    """Leaves something where a file could not be had."""

    def fetch(self, attempt: str, paths: Sequence[str], into: Path) -> None:
        try:
            self.inner.fetch(attempt, paths, into)
        except InputMissing:
            (into / paths[0]).touch()
            raise


class SendsAllAgain(WrappedSession):
    """Wants everything here that it is to put, whatever the machine has."""

    def put(self, attempt: str, items: Sequence[Item]) -> None:
        for item in items:
            if not has_object(str(self.context.store_folder), item.sha256):
                raise InputMissing(f"input {item.path} is not here")
        self.inner.put(attempt, items)


class BringsListingsAlone(WrappedSession):
    """Brings of a folder what has the folder's digest, and not what is in it."""

    def get(self, artifacts: Collection[Artifact]) -> None:
        self.inner.get([attrs.evolve(each, kind="file") for each in artifacts])


class KeepsWhatIsDiscarded(WrappedSession):
    """Discards nothing."""

    def discard(self, digests: Collection[str]) -> None:
        return


class MakesUpWhatIsMissing(WrappedSession):
    """Leaves something in the store for what it could not bring."""

    def get(self, artifacts: Collection[Artifact]) -> None:
        try:
            self.inner.get(artifacts)
        except InputMissing:
            for each in artifacts:
                place = Path(object_path(str(self.context.store_folder), each.sha256))
                place.parent.mkdir(parents=True, exist_ok=True)
                place.touch()
            raise


class LosesTheEnd(WrappedSession):
    """Brings files without their ends."""

    def fetch(self, attempt: str, paths: Sequence[str], into: Path) -> None:
        self.inner.fetch(attempt, paths, into)
        for path in paths:
            os.truncate(into / path, 1000)


class GuessesDigests(WrappedSession):
    """Says of outputs what it thinks they are."""

    def tell(self, *events: Told) -> None:
        self.sink(*(self._guessed(event) for event in events))

    def _guessed(self, event: Told) -> Told:
        if not isinstance(event, AttemptEnded):
            return event
        return attrs.evolve(event, outputs=tuple(attrs.evolve(each, sha256="0" * 64) for each in event.outputs))


class NoisyReconnect(WrappedSession):
    """Gives a machine up as soon as a link drops."""

    def drop(self) -> None:
        self.inner.drop()
        self.sink(MachineGone(at=datetime.now(UTC), machine="far", reason="the link dropped"))


class Trusting(Wrapping):
    """Takes every machine for the one that is meant."""

    def meant(self, machine: Machine) -> Machine:
        return far()


class NoFence(Wrapping):
    """Takes a run over whatever fence was seen."""

    _seen = itertools.count(100)

    def fence(self, fence: int) -> int:
        return next(self._seen)


class BuildsAnew(WrappedSession):
    """Knows no environment by its content."""

    def build(self, build: BuildSpec) -> None:
        own = Script(name="after", text=f": {build.id}")
        self.inner.build(attrs.evolve(build, environment=attrs.evolve(build.environment, after=own)))


class CallsItBuilt(WrappedSession):
    """Says that everything was built."""

    def tell(self, *events: Told) -> None:
        self.sink(*(self._whole(e) if isinstance(e, EnvironmentFailed) else e for e in events))

    def _whole(self, event: EnvironmentFailed) -> EnvironmentBuilt:
        return EnvironmentBuilt(at=event.at, environment=event.environment, number=event.number, key="k")


class KeepsHalfBuilt(WrappedSession):
    """Tells the second time what it has told the first time."""

    def build(self, build: BuildSpec) -> None:
        if build.id.endswith("/1"):
            self.inner.build(build)
            return
        now, name = datetime.now(UTC), environment_of(split_attempt_id(build.id)[1])
        text = build.environment.before and build.environment.before.text
        kind = FailureClass.ENVIRONMENT
        self.sink(EnvironmentFailed(at=now, environment=name, number=2, failure=kind, evidence=text or ""))


class IgnoresEnvironments(WrappedSession):
    """Builds them, and lets nobody use them."""

    def create(self, attempt: AttemptSpec) -> None:
        super().create(attrs.evolve(attempt, environment=""))


class MeasuresNobody(WrappedSession):
    """Knows what the machine uses, and nothing of its attempts."""

    def measure(self, every: timedelta, told: Callable[[MachineLoad], None]) -> None:
        self.inner.measure(every, lambda load: told(attrs.evolve(load, attempts=())))


class MeasuresForEver(WrappedSession):
    """Goes on when nobody looks."""

    def measure(self, every: timedelta, told: Callable[[MachineLoad], None]) -> None:
        if every:
            self.inner.measure(every, told)


class ForgetsToMeasure(WrappedSession):
    """Stops measuring with the link."""

    def drop(self) -> None:
        self.inner.measure(timedelta(0), lambda _: None)
        self.inner.drop()


class PullsNothing(WrappedSession):
    """Says that it has what it has not."""

    def pull(self, artifacts: Collection[Artifact], source: Session) -> bool:
        return False


class PullsByOurStore(WrappedSession):
    """Keeps here what only passes."""

    def pull(self, artifacts: Collection[Artifact], source: Session) -> bool:
        source.get(artifacts)
        return super().pull(artifacts, source)


class PullsListingsAlone(WrappedSession):
    """Gets of a folder what has the folder's digest, and not what is in it."""

    def pull(self, artifacts: Collection[Artifact], source: Session) -> bool:
        return super().pull([attrs.evolve(each, kind="file") for each in artifacts], source)


class PullsAllAgain(WrappedSession):
    """Gets everything of the other machine, whatever its own has had."""

    def pull(self, artifacts: Collection[Artifact], source: Session) -> bool:
        self.discard([each.sha256 for each in artifacts])
        return super().pull(artifacts, source)


class PullsWhatIsNotThere(WrappedSession):
    """Says nothing of what is missing."""

    def pull(self, artifacts: Collection[Artifact], source: Session) -> bool:
        with suppress(InputMissing):
            super().pull(artifacts, source)
        return True


class PullsFromAnybody(WrappedSession):
    """Takes every session for one of its own."""

    def pull(self, artifacts: Collection[Artifact], source: Session) -> bool:
        return isinstance(source, WrappedSession) and super().pull(artifacts, source)


Open = Callable[..., MutantBench]


@pytest.fixture
def mutant(tmp_path: Path) -> Iterator[Open]:
    benches: list[MutantBench] = []

    def make(kind: type[WrappedSession], executor: type[Wrapping] = Wrapping, **options: float) -> MutantBench:
        benches.append(MutantBench(tmp_path, kind, executor, **options))
        return benches[0]

    yield make
    for bench in benches:
        bench.end()


CAUGHT = [
    (ExecutesAgain, LAWS.test_E1_going_twice_executes_once),
    (DiesWithTheLink, LAWS.test_E2_an_attempt_lives_on_when_the_link_drops),
    (Forgets, LAWS.test_E3_adopt_tells_what_ended_and_what_never_started),
    (SilentOfTheUnknown, LAWS.test_E3_adopt_tells_what_ended_and_what_never_started),
    (KeepsForEver, LAWS.test_E3_an_end_is_kept_until_it_is_released),
    (HalfAnOutcome, LAWS.test_E4_an_outcome_is_recorded_whole_or_not_at_all),
    (CancelledTwice, LAWS.test_E5_cancel_ends_daemons_too_and_says_cancelled_once),
    (LeavesDaemons, LAWS.test_E5_cancel_ends_daemons_too_and_says_cancelled_once),
    (TruncatesLogs, LAWS.test_E6_all_output_is_here_when_the_end_is_told),
    (BelievesWhatItPuts, LAWS.test_E7_damaged_bytes_reach_no_command),
    (MakesUpWhatIsMissing, LAWS.test_E7_get_says_what_it_cannot_find_and_leaves_nothing_half),
    (GuessesDigests, LAWS.test_E7_outputs_are_told_by_their_digests),
    (NoisyReconnect, LAWS.test_E9_a_reconnect_is_silent),
    (MeasuresNobody, LAWS.test_Measures_the_machine_and_what_runs_there),
    (MeasuresForEver, LAWS.test_Measures_no_more_when_nobody_looks),
    (ForgetsToMeasure, LAWS.test_Measures_on_after_the_link_has_dropped),
    (PullsNothing, LAWS.test_Peers_data_come_from_another_machine_and_are_not_kept_here),
    (PullsByOurStore, LAWS.test_Peers_data_come_from_another_machine_and_are_not_kept_here),
    (PullsListingsAlone, LAWS.test_Peers_data_come_from_another_machine_and_are_not_kept_here),
]


@pytest.mark.parametrize(("kind", "law"), CAUGHT, ids=lambda each: getattr(each, "__name__", ""))
def test_an_executor_that_breaks_a_law_is_caught_by_it(
    kind: type[WrappedSession], law: Callable[..., None], mutant: Open
) -> None:
    with pytest.raises(AssertionError):
        law(mutant(kind, seconds=IMPATIENT_SECONDS))


BUILDS = [
    (IgnoresEnvironments, LAWS.test_Builds_programs_of_an_environment_are_found_first),
    (BuildsAnew, LAWS.test_Builds_equal_content_is_built_once),
    (CallsItBuilt, LAWS.test_Builds_what_fails_is_told_with_its_line_and_is_not_there),
    (KeepsHalfBuilt, LAWS.test_Builds_what_fails_is_told_with_its_line_and_is_not_there),
]


@pytest.mark.parametrize(("kind", "law"), BUILDS, ids=lambda each: getattr(each, "__name__", ""))
def test_an_executor_that_builds_wrongly_is_caught(
    kind: type[WrappedSession], law: Callable[..., None], mutant: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(AssertionError):
        law(mutant(kind, seconds=IMPATIENT_SECONDS), tmp_path, monkeypatch)


@pytest.mark.parametrize("law", sorted({law for _, law in BUILDS}, key=str), ids=lambda law: law.__name__)
def test_what_surrounds_the_mutants_builds_rightly(
    law: Callable[..., None], mutant: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    law(mutant(WrappedSession), tmp_path, monkeypatch)


@pytest.mark.parametrize("kind", [HalfAFile, LosesTheEnd])
def test_an_executor_that_brings_half_a_file_is_caught(
    kind: type[WrappedSession], mutant: Open, tmp_path: Path
) -> None:
    with pytest.raises(AssertionError):
        LAWS.test_E7_fetch_brings_a_whole_file_or_none(mutant(kind, seconds=IMPATIENT_SECONDS), tmp_path)


def test_an_executor_that_discards_nothing_is_caught(mutant: Open) -> None:
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        LAWS.test_E7_what_was_discarded_is_gone(mutant(KeepsWhatIsDiscarded))


def test_an_executor_that_sends_what_the_machine_has_is_caught(mutant: Open) -> None:
    with pytest.raises(InputMissing, match="is not here"):
        LAWS.test_E7_what_the_machine_has_need_not_be_here(mutant(SendsAllAgain))


def test_an_executor_that_brings_a_folder_without_its_files_is_caught(mutant: Open, tmp_path: Path) -> None:
    with pytest.raises(StagingProblem, match="does not have"):
        LAWS.test_E7_get_brings_outputs_home_whole(mutant(BringsListingsAlone), tmp_path)


def test_an_executor_that_asks_others_for_what_its_machine_has_is_caught(mutant: Open) -> None:
    with pytest.raises(InputMissing, match="does not have"):
        LAWS.test_Peers_what_is_there_does_not_travel_again(mutant(PullsAllAgain))


PULLS = [
    (PullsWhatIsNotThere, LAWS.test_Peers_what_the_other_machine_does_not_have_is_named),
    (PullsFromAnybody, LAWS.test_Peers_a_session_of_another_kind_is_out_of_reach),
]


@pytest.mark.parametrize(("kind", "law"), PULLS, ids=lambda each: getattr(each, "__name__", ""))
def test_an_executor_that_says_nothing_of_what_it_cannot_pull_is_caught(
    kind: type[WrappedSession], law: Callable[..., None], mutant: Open
) -> None:
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        law(mutant(kind))


def test_an_executor_that_verifies_no_identity_is_caught(mutant: Open) -> None:
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        LAWS.test_E8_nothing_is_sent_to_a_machine_of_another_identity(mutant(WrappedSession, Trusting))


def test_an_executor_that_accepts_a_lower_fence_is_caught(mutant: Open) -> None:
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        LAWS.test_E10_a_lower_fence_is_refused(mutant(WrappedSession, NoFence))


OTHERS = [
    LAWS.test_E7_what_was_discarded_is_gone,
    LAWS.test_E7_what_the_machine_has_need_not_be_here,
    LAWS.test_Peers_what_is_there_does_not_travel_again,
    *(law for _, law in PULLS),
]


@pytest.mark.parametrize("law", [law for _, law in CAUGHT] + OTHERS, ids=lambda law: law.__name__)
def test_what_surrounds_the_mutants_breaks_no_law(law: Callable[..., None], mutant: Open) -> None:
    law(mutant(WrappedSession))
