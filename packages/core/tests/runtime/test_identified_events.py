"""What tasks are known by comes back from the journal as it was."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from longshore.model.artifact import Artifact, Input
from longshore.model.events import Identified, TasksIdentified
from longshore.runtime.codec import decode, encode

TEXT = st.text(min_size=1, max_size=6)
DIGESTS = st.text("0123456789abcdef", min_size=64, max_size=64)
KINDS = st.sampled_from(["file", "folder"])
INPUTS = st.builds(
    Input,
    sha256=DIGESTS,
    size=st.integers(0, 2**40),
    kind=KINDS,
    origin=st.just("") | TEXT,
    path=st.just("") | TEXT,
)
OUTPUTS = st.builds(
    Artifact, path=TEXT, sha256=DIGESTS, size=st.integers(0, 2**40), mode=st.integers(0, 0o777), kind=KINDS
)
MUST_RUN = st.builds(
    Identified,
    task=TEXT,
    identity=DIGESTS,
    reason=st.just("") | TEXT,
    inputs=st.lists(INPUTS, max_size=3).map(tuple),
)
UP_TO_DATE = st.builds(
    Identified,
    task=TEXT,
    identity=DIGESTS,
    outputs=st.lists(OUTPUTS, max_size=3).map(tuple),
    result=st.none() | TEXT,
    source=TEXT,
)


@given(st.lists(MUST_RUN | UP_TO_DATE, max_size=4).map(tuple))
def test_what_tasks_are_known_by_comes_back_as_it_was(items: tuple[Identified, ...]) -> None:
    event = TasksIdentified(at=datetime(2026, 3, 14, tzinfo=UTC), items=items)
    assert decode(*encode(event)) == event
