"""Providers that each break one law, and are caught by it."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

import pytest

from longshore.errors import OutOfCapacity, ProviderError
from longshore.model.machine import Machine
from longshore.model.machine_spec import MachineSpec, Tag
from longshore.plugin.provider import Terms
from longshore.testing import FakeProvider, FakeRig, ProviderContract
from longshore.testing.fake_cloud import Port
from longshore.testing.fake_cloud_parts import CloudFault, CloudHabits
from longshore.testing.faults import Time


class ForgetsTheToken(FakeProvider):
    """Sends no key and looks for nothing: a repeat makes a second machine."""

    def launch(self, spec: MachineSpec, *, token: str, count: int = 1) -> Sequence[Machine]:
        return super().launch(spec, token=f"{token}-{self._time.now().timestamp()}", count=count)


class OneTokenForAll(FakeProvider):
    """Takes the run for the token, so that a second launch gives the first one's machine."""

    def launch(self, spec: MachineSpec, *, token: str, count: int = 1) -> Sequence[Machine]:
        return super().launch(spec, token=spec.run, count=count)


class KeepsTheRest(FakeProvider):
    """Leaves the machines of a launch that was filled by half."""

    def _end(self, machine_ids: Collection[str], until: datetime) -> None:
        if len(list(machine_ids)) < 2:
            super()._end(machine_ids, until)


class NeverEndsDuplicates(FakeProvider):
    """Trusts its looking, on a cloud where lists lag and keys mean nothing."""

    def launch(self, spec: MachineSpec, *, token: str, count: int = 1) -> Sequence[Machine]:
        there = self._list({Tag.TOKEN: token}, self._deadline())
        return there[:count] if len(there) >= count else super().launch(spec, token=token, count=count)


class SendsTheHour(FakeProvider):
    """Has the time of day in its request."""

    def _request(self, spec: MachineSpec, token: str, count: int) -> dict[str, Any]:
        return {**super()._request(spec, token, count), "name": f"{spec.run}-{self._time.now():%H%M}"}


class CreatesWithoutLooking(FakeProvider):
    """Relies on the cloud's key alone."""

    def _list(self, tags: Mapping[str, str], until: datetime) -> list[Machine]:
        return [] if Tag.TOKEN in tags else super()._list(tags, until)


class RepeatsCreates(FakeProvider):
    """Sends a create again when no answer comes."""

    def _call(
        self, action: str, body: Mapping[str, Any], until: datetime, *, fine: Collection[str] = ()
    ) -> dict[str, Any]:
        try:
            return super()._call(action, body, until, fine=fine)
        except ProviderError:
            if action == "create":
                return super()._call(action, body, self._deadline(), fine=fine)
            raise


class ListsEverybody(FakeProvider):
    """Lists all machines of the account."""

    def find(self, *, owner: str) -> Sequence[Machine]:
        return self._list({}, self._deadline())


class ComparesWithoutCase(FakeProvider):
    """Takes a colleague for us."""

    def find(self, *, owner: str) -> Sequence[Machine]:
        return [each for each in self._list({}, self._deadline()) if each.tags.get(Tag.OWNER, "").lower() == owner]


class ReadsOnePage(FakeProvider):
    """Stops at the end of the first page."""

    def _pages(self, action: str, body: Mapping[str, Any], until: datetime) -> Iterator[dict[str, Any]]:
        yield from self._call(action, {**body, "tags": {}, "page": 0}, until)["rows"]

    def find(self, *, owner: str) -> Sequence[Machine]:
        return [each for each in self._list({}, self._deadline()) if each.tags.get(Tag.OWNER) == owner]


class LosesTags(FakeProvider):
    """Sends no project and no run."""

    def _request(self, spec: MachineSpec, token: str, count: int) -> dict[str, Any]:
        request = super()._request(spec, token, count)
        keep = {key: value for key, value in request["tags"].items() if key not in {Tag.PROJECT, Tag.RUN}}
        return {**request, "tags": keep}


class TakesErrorsForEmptiness(FakeProvider):
    """Lists nothing when the cloud is busy."""

    def find(self, *, owner: str) -> Sequence[Machine]:
        try:
            return super().find(owner=owner)
        except ProviderError:
            return []


class EndsEverything(FakeProvider):
    """Ends whatever the account has."""

    def terminate(self, machine_ids: Collection[str]) -> None:
        super().terminate([each.id for each in self._list({}, self._deadline())])


class EndsNothing(FakeProvider):
    """Powers off instead, and pays on."""

    def terminate(self, machine_ids: Collection[str]) -> None:
        for each in machine_ids:
            self._call("stop", {"id": each}, self._deadline(), fine={"NotFound"})


class ComplainsOfTheUnknown(FakeProvider):
    """Fails at what is gone."""

    def _end(self, machine_ids: Collection[str], until: datetime) -> None:
        for each in machine_ids:
            self._call("end", {"id": each}, until)


class StopsAtTheFirstError(FakeProvider):
    """Leaves the others when one cannot be ended."""

    def _end(self, machine_ids: Collection[str], until: datetime) -> None:
        for each in machine_ids:
            self._call("end", {"id": each}, until, fine={"NotFound"})


class WaitsForEver(FakeProvider):
    """Sets no time limit."""

    def __init__(self, port: Port, time: Time, terms: Terms) -> None:
        super().__init__(lambda action, body, _: port(action, body, None), time, terms)


class StartsTheTimeAnew(FakeProvider):
    """Gives each request of a call the whole time, and tries reads three times."""

    def _call(
        self, action: str, body: Mapping[str, Any], until: datetime, *, fine: Collection[str] = ()
    ) -> dict[str, Any]:
        try:
            return super()._call(action, body, self._deadline(), fine=fine)
        except ProviderError:
            self._time.wait(timedelta(seconds=20))
            raise


class _Misspeaks(FakeProvider):
    """Tells failures wrongly."""

    def _call(
        self, action: str, body: Mapping[str, Any], until: datetime, *, fine: Collection[str] = ()
    ) -> dict[str, Any]:
        try:
            return super()._call(action, body, until, fine=fine)
        except ProviderError as error:
            told, cause = self._told(error)
            raise told from cause

    def _told(self, error: ProviderError) -> tuple[Exception, BaseException | None]:
        raise NotImplementedError


class LetsTheSdkSpeak(_Misspeaks):
    """Raises what the SDK raises."""

    def _told(self, error: ProviderError) -> tuple[Exception, BaseException | None]:
        return (error.__cause__, None) if isinstance(error.__cause__, CloudFault) else (error, error.__cause__)


class CallsAllCapacity(_Misspeaks):
    """Has one word for every failure."""

    def _told(self, error: ProviderError) -> tuple[Exception, BaseException | None]:
        return OutOfCapacity(str(error)), error.__cause__


class DropsTheCause(_Misspeaks):
    """Loses what the cloud has said."""

    def _told(self, error: ProviderError) -> tuple[Exception, BaseException | None]:
        return type(error)(str(error)), None


class TagsLater(FakeProvider):
    """Tags the machine when it is there."""

    def _request(self, spec: MachineSpec, token: str, count: int) -> dict[str, Any]:
        return {**super()._request(spec, token, count), "tags": {}}

    def launch(self, spec: MachineSpec, *, token: str, count: int = 1) -> Sequence[Machine]:
        made = super().launch(spec, token=token, count=count)
        for each in made:
            self._call("tag", {"id": each.id, "tags": spec.tags(token)}, self._deadline())
        return made


class EndsLater(FakeProvider):
    """Sets the end time when the machine is there."""

    def _request(self, spec: MachineSpec, token: str, count: int) -> dict[str, Any]:
        request = super()._request(spec, token, count)
        del request["ends_at"]
        return request

    def launch(self, spec: MachineSpec, *, token: str, count: int = 1) -> Sequence[Machine]:
        made = super().launch(spec, token=token, count=count)
        for each in made:
            self._call("tag", {"id": each.id, "ends_at": spec.ends_at.isoformat()}, self._deadline())
        return made


class PrintsTheRequest(FakeProvider):
    """Says what it does."""

    def _request(self, spec: MachineSpec, token: str, count: int) -> dict[str, Any]:
        print("creating", spec.offer.type)
        return super()._request(spec, token, count)


class LogsTheRequest(FakeProvider):
    """Writes the boot script, with its secret, into the log."""

    def _request(self, spec: MachineSpec, token: str, count: int) -> dict[str, Any]:
        request = super()._request(spec, token, count)
        logging.getLogger("mutant").debug("creating %s", request)
        return request


class ShowsTheSecret(FakeProvider):
    """Keeps the last request where its repr shows it."""

    def _request(self, spec: MachineSpec, token: str, count: int) -> dict[str, Any]:
        self.last = super()._request(spec, token, count)
        return self.last


class AsksWhenMade(FakeProvider):
    """Logs in in the constructor."""

    def __init__(self, port: Port, time: Time, terms: Terms) -> None:
        super().__init__(port, time, terms)
        self.scope()


class KeepsAClassWideList(FakeProvider):
    """Remembers its machines for all providers of the process."""

    known: ClassVar[list[str]] = []

    def launch(self, spec: MachineSpec, *, token: str, count: int = 1) -> Sequence[Machine]:
        made = super().launch(spec, token=token, count=count)
        self.known.extend(each.id for each in made)
        return made


class TagsNoKeys(FakeProvider):
    """Makes side resources that nobody will find again."""

    def _make_sides(self, spec: MachineSpec, until: datetime) -> None:
        for side in self.sides_of(spec):
            body = {"id": side.id, "kind": side.kind, "region": side.region, "tags": {}}
            self._call("create_side", body, until, fine={"AlreadyThere"})


class LeavesKeys(FakeProvider):
    """Never sweeps."""

    def sweep(self, ids: Collection[str], *, owner: str) -> None:
        return


class SweepsEverything(FakeProvider):
    """Sweeps whatever it is told, whoever's it is."""

    def sweep(self, ids: Collection[str], *, owner: str) -> None:
        for each in ids:
            self._call("delete_side", {"id": each}, self._deadline(), fine={"NotFound", "InUse"})


class ComplainsOfSweptKeys(FakeProvider):
    """Fails at what a machine still uses."""

    def sweep(self, ids: Collection[str], *, owner: str) -> None:
        ours = {each.id for each in self.find_sides(owner=owner)}
        for each in ids:
            if each in ours:
                self._call("delete_side", {"id": each}, self._deadline())


WITHOUT_KEYS = CloudHabits(honours_keys=False)

MUTANTS: list[tuple[str, type[FakeProvider], CloudHabits | None]] = [
    ("P1", ForgetsTheToken, None),
    ("P1", OneTokenForAll, None),
    ("P1", KeepsTheRest, None),
    ("P1", NeverEndsDuplicates, WITHOUT_KEYS),
    ("P2", SendsTheHour, WITHOUT_KEYS),
    ("P2", CreatesWithoutLooking, None),
    ("P2", RepeatsCreates, None),
    ("P3", ListsEverybody, None),
    ("P3", ComparesWithoutCase, None),
    ("P3", ReadsOnePage, None),
    ("P3", LosesTags, None),
    ("P3", TakesErrorsForEmptiness, None),
    ("P4", EndsEverything, None),
    ("P4", EndsNothing, CloudHabits(power_off_still_costs=True)),
    ("P4", ComplainsOfTheUnknown, None),
    ("P4", StopsAtTheFirstError, None),
    ("P5", WaitsForEver, None),
    ("P5", StartsTheTimeAnew, None),
    ("P6", LetsTheSdkSpeak, None),
    ("P6", CallsAllCapacity, None),
    ("P6", DropsTheCause, None),
    ("P7", TagsLater, None),
    ("P7", EndsLater, None),
    ("P8", PrintsTheRequest, None),
    ("P8", LogsTheRequest, None),
    ("P8", ShowsTheSecret, None),
    ("P8", AsksWhenMade, None),
    ("P8", KeepsAClassWideList, None),
    ("P9", TagsNoKeys, None),
    ("P9", LeavesKeys, None),
    ("P9", SweepsEverything, None),
    ("P9", ComplainsOfSweptKeys, None),
]


def broken(
    law: str, make: type[FakeProvider], habits: CloudHabits | None, rig: Callable[..., FakeRig] = FakeRig
) -> list[str]:
    """Name the tests of a law that fail for a provider."""
    found = []
    for name in dir(ProviderContract):
        if name.startswith(f"test_{law}_"):
            for arguments in given(getattr(ProviderContract, name)):
                try:
                    getattr(ProviderContract(), name)(rig(make, habits=habits), **arguments)
                except (Exception, pytest.fail.Exception):  # noqa: BLE001 - however it fails, it is caught
                    found.append(name)
    return sorted(set(found))


def given(test: Any) -> Iterator[dict[str, Any]]:
    """List the arguments with which pytest would call a test."""
    marks = [mark for mark in getattr(test, "pytestmark", ()) if mark.name == "parametrize"]
    for values in itertools.product(*(mark.args[1] for mark in marks)):
        yield {mark.args[0]: value for mark, value in zip(marks, values, strict=True)}


@pytest.mark.parametrize(("law", "mutant", "habits"), MUTANTS, ids=[each[1].__name__ for each in MUTANTS])
def test_a_mutant_is_caught_by_the_law_it_breaks(
    law: str, mutant: type[FakeProvider], habits: CloudHabits | None
) -> None:
    assert broken(law, FakeProvider, habits) == []
    assert broken(law, mutant, habits) != []
