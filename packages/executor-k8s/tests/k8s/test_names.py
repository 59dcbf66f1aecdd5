"""Names in a cluster are safe, and different for different things, whatever runs and machines are called."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from longshore_k8s.names import label_value, labels_of, object_name

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)
_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?", re.ASCII)


@given(run=st.text(), machine=st.text())
def test_any_words_give_names_that_a_cluster_takes(run: str, machine: str) -> None:
    assert _NAME.fullmatch(object_name(run, machine))
    assert all(_VALUE.fullmatch(value) for value in labels_of(run, machine).values())


@given(one=st.tuples(st.text(), st.text()), other=st.tuples(st.text(), st.text()))
def test_different_words_give_different_names(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (object_name(*one) == object_name(*other)) == (one == other)


def test_words_run_together_are_told_apart() -> None:
    assert object_name("a-b", "c") != object_name("a", "b-c")
    assert object_name("Run", "m") != object_name("run", "m")


def test_a_label_that_may_be_as_it_is_stays_so() -> None:
    assert label_value("pool.1") == "pool.1"
    assert label_value("a/b") != label_value("a-b")
