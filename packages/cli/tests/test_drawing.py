from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st

from longshore.model.command import Shell
from longshore.model.task import Parameter, Reference, TaskSpec, Values
from longshore.model.workflow import WorkflowSpec
from longshore_cli.drawing.layout import lay_out
from longshore_cli.drawing.picture import Box, Picture, picture_of
from longshore_cli.drawing.svg import svg
from longshore_cli.drawing.words import dot, mermaid

HEIGHT, GAP, RISE = 40.0, 20.0, 30.0


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[float], list[tuple[int, int]]]:
    count = draw(st.integers(min_value=1, max_value=14))
    widths = draw(st.lists(st.floats(min_value=10, max_value=200), min_size=count, max_size=count))
    pairs = [(start, end) for end in range(count) for start in range(end)]
    return widths, sorted(draw(st.sets(st.sampled_from(pairs), max_size=25)) if pairs else set())


@settings(deadline=None)
@given(graphs())
def test_boxes_never_overlap_and_stay_inside(graph: tuple[list[float], list[tuple[int, int]]]) -> None:
    widths, arrows = graph
    layout = lay_out(widths, arrows, height=HEIGHT, gap=GAP, rise=RISE)
    rows: dict[float, list[tuple[float, float]]] = {}
    for (x, y), width in zip(layout.centres, widths, strict=True):
        assert x - width / 2 >= -1e-6
        assert x + width / 2 <= layout.width + 1e-6
        assert HEIGHT / 2 <= y <= layout.height - HEIGHT / 2
        rows.setdefault(y, []).append((x - width / 2, x + width / 2))
    for row in rows.values():
        for (_, right), (left, _) in pairwise(sorted(row)):
            assert left - right >= GAP - 1e-6


@settings(deadline=None)
@given(graphs())
def test_every_arrow_leads_down_from_its_first_box_to_its_last(
    graph: tuple[list[float], list[tuple[int, int]]],
) -> None:
    widths, arrows = graph
    layout = lay_out(widths, arrows, height=HEIGHT, gap=GAP, rise=RISE)
    for (start, end), route in zip(arrows, layout.routes, strict=True):
        assert (route[0], route[-1]) == (layout.centres[start], layout.centres[end])
        assert all(below[1] - above[1] == HEIGHT + RISE for above, below in pairwise(route))


def test_a_long_chain_is_laid_out_without_recursion() -> None:
    layout = lay_out([50.0] * 5000, list(pairwise(range(5000))), height=HEIGHT, gap=GAP, rise=RISE)
    assert {x for x, _ in layout.centres} == {25.0}


def test_a_straight_line_is_drawn_where_one_is_possible() -> None:
    layout = lay_out([60, 60, 60, 60], [(0, 1), (0, 2), (1, 3), (2, 3)], height=HEIGHT, gap=GAP, rise=RISE)
    assert layout.centres[0][0] == layout.centres[3][0] == layout.width / 2


def spec(name: str, reads: str = "", values: tuple[str, ...] = ()) -> TaskSpec:
    return TaskSpec(
        name=name,
        command=Shell("true"),
        references=(Reference(task=reads, path="x", member="*"),) if reads else (),
        for_each=(Parameter("year", Values(values)),) if values else (),
    )


def test_a_for_each_is_one_box_with_its_number() -> None:
    workflow = WorkflowSpec(name="pv", tasks=(spec("fit", values=("1", "2", "3")), spec("report", reads="fit")))
    assert picture_of(workflow) == Picture(
        title="pv", boxes=(Box(name="fit", note="3 x year", many=True), Box(name="report")), arrows=((0, 1),)
    )


HOSTILE = Picture(
    title='<a href="x">',
    boxes=(Box(name='"];<script>\\', note="2 x <b>", many=True), Box(name="x\x1b[31my")),
    arrows=((0, 1),),
)


def test_an_svg_is_well_formed_whatever_the_names() -> None:
    root = ET.fromstring(svg(HOSTILE))
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ['<a href="x">', '"];<script>\\', "2 x <b>", "xy"]


def test_dot_quotes_names() -> None:
    assert 't0 [label="\\"];<script>\\\\\\n2 x <b>", peripheries=2];' in dot(HOSTILE)


def test_mermaid_escapes_names() -> None:
    assert mermaid(HOSTILE).splitlines() == [
        "flowchart TD",
        '    t0[["#34;];#60;script#62;#92;<br>2 x #60;b#62;"]]',
        '    t1["xy"]',
        "    t0 --> t1",
    ]


def test_no_tasks_make_an_empty_picture() -> None:
    assert ET.fromstring(svg(Picture(title="none", boxes=(), arrows=()))) is not None
