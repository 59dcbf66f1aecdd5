"""The suite that every provider must pass: laws P1 to P9 of `longshore.plugin.provider`, one test or more to each, and
those of its abilities.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest
from attrs import evolve

from longshore.errors import (
    AccessDenied,
    CloudUnreachable,
    CredentialsError,
    InvalidRequest,
    OutOfCapacity,
    ProviderError,
    QuotaExceeded,
    Throttled,
)
from longshore.model.machine_spec import MachineSpec
from longshore.model.offer import Needs
from longshore.plugin.provider import Provider, Sweeps
from longshore.testing.ability_laws import AbilityLaws
from longshore.testing.cluster_laws import ClusterLaws
from longshore.testing.contract import Contract
from longshore.testing.faults import Fault
from longshore.testing.provider_rig import ProviderRig, failure, ids, overheard

__all__ = ["ProviderContract"]

_ONE, _TWO = "t-1", "t-2"
"""Tokens."""

_CLASSES: Mapping[Fault, type[ProviderError]] = {
    Fault.CAPACITY: OutOfCapacity,
    Fault.QUOTA: QuotaExceeded,
    Fault.CREDENTIALS: CredentialsError,
    Fault.DENIED: AccessDenied,
    Fault.THROTTLED: Throttled,
    Fault.INVALID: InvalidRequest,
    Fault.UNKNOWN: ProviderError,
}
_CROWD = 130
"""More than a page of any list."""


class ProviderContract(AbilityLaws, ClusterLaws, Contract):
    """Subclass it in a plugin's tests, and give the fixture ``rig``, a `ProviderRig`, new for each test."""

    def test_P1_a_second_launch_under_a_token_gives_the_same_machines(self, rig: ProviderRig) -> None:
        """P1: launch twice with one token: the same machines, also for another process and when lists lag."""
        spec = rig.spec()
        first = rig.provider().launch(spec, token=_ONE, count=2)
        assert len(first) == 2
        rig.wait(rig.provider().terms.settle)
        again = rig.provider().launch(spec, token=_ONE, count=2)
        assert ids(again) == ids(first) == ids(rig.paid())

    def test_P1_a_repeat_at_once_leaves_no_duplicate_behind(self, rig: ProviderRig) -> None:
        """P1: duplicates of a repeat that came before lists knew of the first end within the settle time."""
        spec, provider = rig.spec(), rig.provider()
        provider.launch(spec, token=_ONE)
        provider.launch(spec, token=_ONE)
        rig.wait(provider.terms.settle)
        assert ids(provider.launch(spec, token=_ONE)) == ids(rig.paid())
        assert len(rig.paid()) == 1

    def test_P1_a_launch_whose_answer_was_lost_is_repeated_without_a_second_machine(self, rig: ProviderRig) -> None:
        """P1: after `CloudUnreachable` the same call gives the machine that was made."""
        spec = rig.spec()
        rig.fail(Fault.REPLY_LOST, on="create")
        assert isinstance(failure(lambda: rig.provider().launch(spec, token=_ONE)), CloudUnreachable)
        rig.wait(rig.provider().terms.settle)
        assert ids(rig.provider().launch(spec, token=_ONE)) == ids(rig.paid())
        assert len(rig.paid()) == 1

    def test_P1_another_token_gives_another_machine(self, rig: ProviderRig) -> None:
        """P1: the token says which launch it is, and nothing else does."""
        provider, spec = rig.provider(), rig.spec()
        one, two = provider.launch(spec, token=_ONE), provider.launch(spec, token=_TWO)
        assert len({*ids(one), *ids(two)}) == 2
        assert ids(rig.paid()) == sorted([*ids(one), *ids(two)])

    def test_P1_a_launch_gives_all_machines_or_none(self, rig: ProviderRig) -> None:
        """P1: when the cloud makes fewer than asked for, those are ended before the error is raised."""
        rig.fail(Fault.PARTIAL, on="create")
        assert isinstance(failure(lambda: rig.provider().launch(rig.spec(), token=_ONE, count=4)), OutOfCapacity)
        assert rig.paid() == []

    def test_P2_a_repeat_sends_the_same_request(self, rig: ProviderRig) -> None:
        """P2: whatever is sent under a token follows from the spec and the token alone."""
        spec = rig.spec()
        rig.fail(Fault.HANG, on="create")
        failure(lambda: rig.provider().launch(spec, token=_ONE))
        rig.wait(timedelta(minutes=3))
        rig.provider().launch(spec, token=_ONE)
        creates = [body for action, body in rig.requests() if action == "create"]
        assert len(creates) == 2
        assert creates[0] == creates[1]

    def test_P2_it_looks_for_the_token_before_it_creates(self, rig: ProviderRig) -> None:
        """P2: a launch whose machine is listed under its token creates nothing."""
        rig.provider().launch(rig.spec(), token=_ONE)
        rig.wait(rig.provider().terms.settle)
        rig.provider().launch(rig.spec(), token=_ONE)
        assert [action for action, _ in rig.requests()].count("create") == 1

    def test_P2_a_create_is_sent_once(self, rig: ProviderRig) -> None:
        """P2: neither the provider nor its SDK repeats a create by itself."""
        rig.fail(Fault.REPLY_LOST, on="create")
        failure(lambda: rig.provider().launch(rig.spec(), token=_ONE))
        assert [action for action, _ in rig.requests()].count("create") == 1

    def test_P3_find_lists_all_of_ours_and_nobody_elses(self, rig: ProviderRig) -> None:
        """P3: every machine with our owner tag, and none of anybody else's, in a crowded account."""
        rig.crowd(_CROWD)
        provider = rig.provider()
        ours = [each for index in range(3) for each in provider.launch(rig.spec(), token=f"t-{index}")]
        rig.crowd(_CROWD)
        rig.wait(provider.terms.listing_lag)
        assert ids(provider.find(owner=rig.owner)) == ids(ours)
        assert provider.find(owner=f"{rig.owner}-and-nobody") == []

    def test_P3_all_tags_come_back_as_they_were_given(self, rig: ProviderRig) -> None:
        """P3: owner, ledger, project, run, pool, token, end time and host key fingerprint are tags of the machine."""
        spec = evolve(rig.spec(), host_key="SHA256:abc")
        rig.provider().launch(spec, token=_ONE)
        rig.wait(rig.provider().terms.listing_lag)
        (found,) = rig.provider().find(owner=rig.owner)
        expected = spec.tags(_ONE)
        assert {key: found.tags.get(key) for key in expected} == expected
        assert (found.type, found.region, found.spot) == (spec.offer.type, spec.offer.region, spec.offer.spot)

    def test_P3_a_list_that_fails_half_way_is_an_error(self, rig: ProviderRig) -> None:
        """P3: a list is whole or it is an error; half of one would let machines be taken for gone."""
        rig.provider().launch(rig.spec(), token=_ONE)
        rig.wait(rig.provider().terms.listing_lag)
        rig.fail(Fault.THROTTLED, on="list")
        found: list[str] = []
        with contextlib.suppress(ProviderError):
            found = ids(rig.provider().find(owner=rig.owner))
            assert found == ids(rig.paid())

    def test_P4_terminate_ends_what_it_is_told_and_nothing_else(self, rig: ProviderRig) -> None:
        """P4: the named machines cost nothing any more; ours beside them, and those of others, live on."""
        rig.crowd(3)
        provider, spec = rig.provider(), rig.spec()
        others = set(ids(rig.paid()))
        (doomed,) = provider.launch(spec, token=_ONE)
        (kept,) = provider.launch(spec, token=_TWO)
        provider.terminate([doomed.id])
        rig.wait(provider.terms.settle)
        assert set(ids(rig.paid())) == others | {kept.id}

    def test_P4_terminate_is_silent_for_what_is_gone_or_unknown(self, rig: ProviderRig) -> None:
        """P4: twice is as once; unknown ids do not keep the known ones from their end."""
        provider = rig.provider()
        (machine,) = provider.launch(rig.spec(), token=_ONE)
        provider.terminate([])
        provider.terminate(["i-that-never-was", machine.id])
        provider.terminate([machine.id])
        assert rig.paid() == []
        rig.wait(provider.terms.listing_lag)
        assert provider.find(owner=rig.owner) == []

    def test_P4_one_that_cannot_be_ended_does_not_save_the_others(self, rig: ProviderRig) -> None:
        """P4: an error about one machine is raised, and the others are ended all the same."""
        provider = rig.provider()
        machines = provider.launch(rig.spec(), token=_ONE, count=2)
        rig.fail(Fault.UNKNOWN, on="end")
        failure(lambda: provider.terminate(ids(machines)))
        assert len(rig.paid()) <= 1
        provider.terminate(ids(machines))
        assert rig.paid() == []

    @pytest.mark.parametrize("call", ["offers", "launch", "find", "terminate"])
    def test_P5_every_call_ends_by_its_deadline(self, rig: ProviderRig, call: str) -> None:
        """P5: when no answer comes, `CloudUnreachable` does, within `Terms.deadline`."""
        provider = rig.provider()
        rig.fail(Fault.HANG, on="*")
        began = rig.now()
        error = failure(lambda: _call(provider, rig, call))
        assert isinstance(error, CloudUnreachable)
        assert rig.now() - began <= provider.terms.deadline

    @pytest.mark.parametrize("call", ["offers", "launch", "find", "terminate"])
    @pytest.mark.parametrize("fault", _CLASSES)
    def test_P6_every_failure_is_of_its_class_with_its_cause(self, rig: ProviderRig, call: str, fault: Fault) -> None:
        """P6: what the cloud says becomes the error class that says what to do; the cloud's own words are kept."""
        if fault is Fault.THROTTLED and call in {"offers", "find"}:
            return  # reads may be repeated within the deadline
        rig.fail(fault, on="create" if call == "launch" else "*")
        error = failure(lambda: _call(rig.provider(), rig, call))
        assert type(error) is _CLASSES[fault]
        assert error.__cause__ is not None

    def test_P6_what_was_refused_was_not_rented(self, rig: ProviderRig) -> None:
        """P6: an error that says "nothing was rented" is true."""
        for fault, expected in _CLASSES.items():
            if expected is not ProviderError:
                rig.fail(fault, on="create")
                failure(lambda: rig.provider().launch(rig.spec(), token=_ONE))
                assert rig.paid() == []

    def test_P7_tags_and_end_are_part_of_the_create_call(self, rig: ProviderRig) -> None:
        """P7: a machine whose maker died the moment it was born has its tags and its end."""
        spec = rig.spec()
        rig.fail(Fault.REPLY_LOST, on="create")
        failure(lambda: rig.provider().launch(spec, token=_ONE))
        (born,) = rig.paid()
        expected = spec.tags(_ONE)
        assert {key: born.born_tags.get(key) for key in expected} == expected
        assert born.born_ends_at == spec.ends_at

    def test_P8_no_secret_is_seen_and_nothing_is_printed(self, rig: ProviderRig) -> None:
        """P8: not in a repr, a log line, a message or an output; and there is no output."""
        shown: list[str] = []
        with overheard() as heard:
            provider = rig.provider()
            machines = provider.launch(rig.spec(), token=_ONE)
            shown += [repr(provider), repr(getattr(provider, "__dict__", {})), repr(rig.spec()), *map(repr, machines)]
            rig.fail(Fault.INVALID, on="create")
            error = failure(lambda: provider.launch(rig.spec(), token=_TWO))
            shown += [repr(error), str(error), repr(error.__cause__)]
            provider.terminate(ids(machines))
        text = "\n".join([heard.getvalue(), *shown])
        assert [secret for secret in rig.secrets if secret in text] == []

    def test_P8_nothing_goes_to_the_outputs(self, rig: ProviderRig) -> None:
        """P8: a library does not print."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            for call in ("offers", "launch", "find", "terminate"):
                _call(rig.provider(), rig, call)
        assert out.getvalue() == ""

    def test_P8_making_a_provider_asks_nobody(self, rig: ProviderRig) -> None:
        """P8: constructors do no I/O, and what a cloud is like is known without asking it."""
        before = len(rig.requests())
        assert rig.provider().terms.deadline > timedelta(0)
        assert len(rig.requests()) == before

    def test_P8_there_is_no_global_state(self, rig: ProviderRig) -> None:
        """P8: a class and its module are the same before and after use."""

        def state(of: type) -> dict[str, str]:
            return {name: repr(value) for each in of.__mro__[:-1] for name, value in vars(each).items()}

        provider = rig.provider()
        before = state(type(provider))
        provider.launch(rig.spec(), token=_ONE)
        rig.provider().find(owner=rig.owner)
        assert state(type(provider)) == before

    def test_P9_side_resources_carry_our_tags_and_are_listed(self, rig: ProviderRig) -> None:
        """P9: whatever a launch has made is tagged, is what was announced, and is listed as ours."""
        rig.crowd(3)
        before = {side.id for side in rig.sides()}
        provider, spec = _sweeping(rig)
        made = [side for side in rig.sides() if side.id not in before]
        assert {side.id for side in made} == {side.id for side in provider.sides_of(spec)}
        for side in made:
            assert {key: side.tags.get(key) for key in spec.owner_tags()} == spec.owner_tags()
        assert {side.id for side in provider.find_sides(owner=rig.owner)} == {side.id for side in made}

    def test_P9_a_sweep_takes_what_is_ours_and_unused_and_nothing_else(self, rig: ProviderRig) -> None:
        """P9: swept are those that are told, once no machine uses them; never others'; silently if they are gone."""
        rig.crowd(3)
        others = {side.id for side in rig.sides()}
        provider, spec = _sweeping(rig)
        ours = {side.id for side in provider.sides_of(spec)}
        provider.sweep([*ours, *others], owner=rig.owner)
        assert {side.id for side in rig.sides()} == ours | others
        provider_ends: Provider = rig.provider()
        rig.wait(provider_ends.terms.listing_lag)
        provider_ends.terminate(ids(provider_ends.find(owner=rig.owner)))
        rig.wait(provider_ends.terms.settle)
        provider.sweep([*ours, "key-that-never-was"], owner=rig.owner)
        provider.sweep(ours, owner=rig.owner)
        assert {side.id for side in rig.sides()} == others

    def test_offers_meet_the_needs_and_come_cheapest_first(self, rig: ProviderRig) -> None:
        """The protocol: at least what is needed, the cheapest first, unknown prices last."""
        offers = rig.provider().offers(Needs(cpus=1))
        assert offers
        assert all(offer.meets(Needs(cpus=1)) for offer in offers)
        rates = [(offer.price is None, offer.price.per_hour.amount if offer.price else 0) for offer in offers]
        assert rates == sorted(rates)

    def test_the_scope_covers_what_was_launched(self, rig: ProviderRig) -> None:
        """The protocol: `find` looks where `launch` rents, and `scope` says so."""
        provider = rig.provider()
        assert provider.scope() == rig.provider().scope()
        assert provider.scope().covers(provider.scope().account, rig.spec().offer.region)


def _call(provider: Provider, rig: ProviderRig, call: str) -> object:
    calls: Mapping[str, Callable[[], object]] = {
        "offers": lambda: provider.offers(Needs()),
        "launch": lambda: provider.launch(rig.spec(), token=_ONE),
        "find": lambda: provider.find(owner=rig.owner),
        "terminate": lambda: provider.terminate([getattr(rig, "nobody", "i-1")]),
    }
    return calls[call]()


def _sweeping(rig: ProviderRig) -> tuple[Sweeps, MachineSpec]:
    """Launch a machine; answer the provider with its ability to sweep, if it has side resources at all."""
    provider, spec = rig.provider(), rig.spec()
    provider.launch(spec, token=_ONE)
    if not isinstance(provider, Sweeps):
        pytest.skip("it makes no side resources")
    return provider, spec
