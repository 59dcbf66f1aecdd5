"""What a provider does wrong is told with its name and the law, before it can do harm."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from longshore.errors import CloudUnreachable, OutOfCapacity, PluginBroken
from longshore.model.offer import Needs
from longshore.plugin.clusters import CLUSTER_ABILITIES
from longshore.plugin.provider import ABILITIES, Prices, Provider, Quotas, Terms
from longshore.runtime.guarded_provider import _ANSWERS, _methods, guarded
from longshore.testing import FakeProvider, FakeRig, ProviderContract
from longshore.testing.fake_cloud import Port
from longshore.testing.faults import Time

LABEL = "provider 'mine' of dist 1.5"


def misspeaking(**answers: Callable[..., Any]) -> Provider:
    """Make a provider some of whose methods are these."""
    made = type("Mine", (FakeProvider,), {name: lambda self, *_, act=act, **__: act() for name, act in answers.items()})
    return guarded(FakeRig(made).provider(), LABEL)


def raises(error: Exception) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


class TestGuarded(ProviderContract):
    """A good provider keeps all laws behind its guard, too."""

    @pytest.fixture
    def rig(self) -> FakeRig:
        def make(port: Port, time: Time, terms: Terms) -> Provider:
            return guarded(FakeProvider(port, time, terms), LABEL)

        return FakeRig(make)


def test_the_guard_knows_what_each_method_answers() -> None:
    methods = {name for ability in (*ABILITIES, *CLUSTER_ABILITIES) for name in _methods(ability)}
    own = {name for name in _methods(Provider) if name != "terms"}

    assert set(_ANSWERS) == methods | own


def test_a_foreign_exception_is_told_with_the_plugin_and_the_law() -> None:
    with pytest.raises(PluginBroken) as caught:
        misspeaking(find=raises(KeyError("Reservations"))).find(owner="me")

    said = str(caught.value)
    assert said.startswith(f"{LABEL} breaks law P6: find raised KeyError: 'Reservations'")
    assert isinstance(caught.value.__cause__, KeyError)


def test_errors_of_ours_pass_as_they_are() -> None:
    error = OutOfCapacity("none left")
    with pytest.raises(OutOfCapacity) as caught:
        misspeaking(offers=raises(error)).offers(Needs())
    assert caught.value is error


@pytest.mark.parametrize(
    ("method", "answer", "words"),
    [
        ("find", None, "a list of Machine, not None"),
        ("find", ["i-1"], "a list of Machine; in it is an object of type str"),
        ("find", [None], "a list of Machine; in it is None"),
        ("offers", iter([]), "a list of Offer, not an object of type list_iterator"),
        ("scope", "me", "Scope, not an object of type str"),
        ("terminate", True, "nothing, not an object of type bool"),
    ],
)
def test_an_answer_of_the_wrong_type_is_told(method: str, answer: object, words: str) -> None:
    provider = misspeaking(**{method: lambda: answer})
    arguments: dict[str, dict[str, Any]] = {"find": {"owner": "me"}, "terminate": {"machine_ids": []}}

    with pytest.raises(PluginBroken) as caught:
        getattr(provider, method)(*([Needs()] if method == "offers" else []), **arguments.get(method, {}))

    assert str(caught.value) == f"{LABEL} breaks its protocol: {method} must answer with {words}"


@pytest.mark.parametrize(("method", "answer"), [("room", "many"), ("price", 0.1), ("quotas", {}), ("caller", b"me")])
def test_answers_of_abilities_are_looked_at_too(method: str, answer: object, rig: FakeRig) -> None:
    provider: Any = misspeaking(**{method: lambda: answer})
    arguments = [rig.spec().offer] if method in {"room", "price"} else []

    with pytest.raises(PluginBroken, match=f"{method} must answer with"):
        getattr(provider, method)(*arguments)


def test_a_call_that_hangs_is_given_up_and_named() -> None:
    class Hangs(FakeProvider):
        terms = Terms(deadline=timedelta(seconds=0.05))
        until = threading.Event()

        def terminate(self, machine_ids: object) -> None:
            self.until.wait()

    provider = guarded(FakeRig(Hangs).provider(), LABEL, patience=timedelta(seconds=0.05))
    try:
        with pytest.raises(CloudUnreachable, match=r"provider 'mine' of dist 1.5 breaks law P5: terminate has not"):
            provider.terminate(["i-1"])
    finally:
        Hangs.until.set()


def test_wrong_terms_are_told() -> None:
    class Vague(FakeProvider):
        terms = "soon"  # type: ignore[assignment]

    vague: Any = Vague
    with pytest.raises(PluginBroken, match="its terms must be a Terms"):
        guarded(FakeRig(vague).provider(), LABEL).terms  # noqa: B018 - to look is enough


def test_it_has_the_abilities_of_its_provider_and_no_others() -> None:
    class Plain:
        terms = Terms()

        def _nothing(self, *_: object, **__: object) -> list[object]:
            return []

        find = launch = offers = scope = terminate = _nothing

        def price(self, offer: object) -> None:
            return None

    provider: object = guarded(Plain(), LABEL)

    assert isinstance(provider, Prices)
    assert not isinstance(provider, Quotas)


@pytest.fixture
def rig() -> FakeRig:
    return FakeRig()
