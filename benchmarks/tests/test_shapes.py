from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from shapes import LAYER_WIDTH, PARENTS, Graph, chain, fan, layered, written_fan

GRAPHS = st.builds(
    lambda make, tasks: make(tasks),
    st.sampled_from([fan, written_fan, chain, layered]),
    st.integers(min_value=0, max_value=400),
)


@given(GRAPHS)
def test_jobs_stand_after_those_they_wait_for_and_have_names_of_their_own(graph: Graph) -> None:
    seen: set[str] = set()
    for job in graph.jobs:
        assert seen.issuperset(job.after)
        seen.add(job.name)
    assert len(seen) == len(graph.jobs)


@given(st.sampled_from([fan, written_fan, chain, layered]), st.integers(min_value=0, max_value=400))
def test_a_graph_has_as_many_jobs_as_were_asked_for(make: Callable[[int], Graph], tasks: int) -> None:
    assert len(make(tasks).jobs) == tasks


def test_a_layered_job_waits_for_jobs_of_the_layer_above() -> None:
    graph = layered(2 * LAYER_WIDTH)
    first_layer = {job.name for job in graph.jobs[:LAYER_WIDTH]}
    assert not any(job.after for job in graph.jobs[:LAYER_WIDTH])
    for job in graph.jobs[LAYER_WIDTH:]:
        assert len(job.after) == PARENTS
        assert first_layer.issuperset(job.after)
