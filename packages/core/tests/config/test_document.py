"""What the journal keeps of a workflow is the whole workflow."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.config.document import VERSION, from_document, to_document
from longshore.errors import JournalError
from longshore.model.command import Argv, Call, Shell
from longshore.model.environment import EnvironmentSpec, Requirement, Script
from longshore.model.hours import parse_hours
from longshore.model.offer import Needs
from longshore.model.outcome import FailureClass
from longshore.model.quantity import Money
from longshore.model.rented import MachineKind, RentedPool, WhenIdle
from longshore.model.resources import Resources
from longshore.model.retry import RetryPolicy
from longshore.model.task import (
    Collect,
    ColumnsOf,
    FileInput,
    FilesMatching,
    LinesOf,
    OutputFiles,
    OutputLines,
    Parameter,
    Range,
    Reference,
    Secret,
    TaskSpec,
    UrlInput,
    Values,
)
from longshore.model.workflow import PoolSpec, StrategySpec, WorkflowSpec

# File names that are not UTF-8 reach us with lone surrogates, so any character is welcome.
TEXT = st.text(st.characters(codec=None), min_size=1, max_size=12)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
SPANS = st.timedeltas(timedelta(0), timedelta(days=9999))
COUNT = st.integers(1, 10**6)
REFERENCES = st.builds(
    Reference,
    task=TEXT,
    path=TEXT,
    member=TEXT | st.just(""),
    workflow=TEXT | st.just(""),
    glob=st.booleans(),
    argument=st.integers(-1, 5),
    start=st.integers(-1, 500),
    prefix_end=st.integers(-1, 500),
)
SOURCES = (
    st.builds(Values, TEXTS)
    | st.builds(Range, first=st.integers(), last=st.integers(), step=COUNT)
    | st.builds(FilesMatching, glob=TEXT, first=st.none() | COUNT)
    | st.builds(LinesOf, TEXT)
    | st.builds(
        ColumnsOf,
        parameter=TEXT,
        matching=TEXT,
        encoding=TEXT,
        found=st.none() | st.dictionaries(TEXT, TEXT | TEXTS.map(tuple), max_size=2),
    )
    | st.builds(OutputLines, REFERENCES)
    | st.builds(OutputFiles, reference=REFERENCES, first=st.none() | COUNT)
)
SCRIPTS = st.none() | st.builds(Script, name=TEXT, text=st.none() | TEXT)
LINES = st.lists(st.builds(Requirement, TEXT, TEXT), max_size=2).map(tuple)
ENVIRONMENTS = st.builds(
    EnvironmentSpec,
    name=TEXT,
    before=SCRIPTS,
    pip=LINES,
    constraints=LINES,
    pip_file=TEXT,
    python=TEXT,
    after=SCRIPTS,
)
TASKS = st.builds(
    TaskSpec,
    name=TEXT,
    command=st.builds(Shell, TEXT)
    | st.builds(Argv, st.lists(TEXT, min_size=1, max_size=3).map(tuple))
    | st.builds(Call, function=TEXT, arguments=TEXT, pickle=st.binary(max_size=9), python=TEXT),
    references=st.lists(REFERENCES, max_size=2).map(tuple),
    inputs=st.lists(st.builds(FileInput, TEXT, st.booleans()) | st.builds(UrlInput, TEXT), max_size=2).map(tuple),
    outputs=TEXTS,
    needs=st.builds(
        Resources,
        cpus=st.floats(0, 1e6) | st.integers(0, 99),
        memory_bytes=st.integers(0, 2**62),
        gpus=st.integers(0, 9),
        disk_bytes=st.integers(0, 2**62),
    ),
    environment=st.none() | TEXT,
    pool=st.none() | TEXT,
    retry=st.builds(
        RetryPolicy, attempts=COUNT, delay=SPANS, max_delay=SPANS, on=st.frozensets(st.sampled_from(FailureClass))
    ),
    timeout=st.none() | SPANS,
    grace=SPANS,
    warn=st.booleans(),
    after=TEXTS,
    env=st.dictionaries(TEXT, TEXT, max_size=2),
    secrets=st.dictionaries(TEXT, st.builds(Secret, file=TEXT, variable=TEXT), max_size=2),
    keep=st.booleans(),
    for_each=st.lists(st.builds(Parameter, TEXT, SOURCES), max_size=2).map(tuple),
    repeat=st.none() | COUNT,
    params=st.lists(st.tuples(TEXT, TEXT), max_size=2).map(tuple),
    collect=st.none() | st.builds(Collect, into=TEXT, source=TEXT, encoding=TEXT),
    priority=st.integers(-99, 99),
)
PLAIN: st.SearchStrategy[Any] = st.recursive(
    st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | TEXT
    | st.dates()
    | st.times()
    | st.datetimes(timezones=st.none() | st.just(UTC)),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT | st.just("$date"), inner, max_size=2),
    max_leaves=4,
)
OPTIONS = st.dictionaries(TEXT | st.just("$time"), PLAIN, max_size=2)
MONEY = st.builds(Money, amount=st.decimals("0", "999", places=3), currency=st.just("EUR"))
SPANS = st.timedeltas(timedelta(seconds=1), timedelta(days=9))
KINDS = st.builds(
    MachineKind,
    needs=st.builds(Needs, cpus=st.floats(0, 99), memory_bytes=COUNT, gpus=COUNT, gpu_model=TEXT, type=TEXT),
    least=st.integers(0, 3),
    most=st.integers(3, 9),
    spot=st.booleans(),
)
RENTED = st.builds(
    RentedPool,
    kinds=st.lists(KINDS, min_size=1, max_size=2).map(tuple),
    spread_cpus=st.none() | st.floats(1, 99),
    max_cost=st.none() | MONEY,
    max_price=st.none() | MONEY,
    price=st.none() | MONEY,
    lifetime=SPANS,
    unattended=SPANS,
    idle=SPANS,
    boot=SPANS,
    when_idle=st.sampled_from(WhenIdle),
    hours=st.none() | st.just(parse_hours("Fri-Mon 22:30-06 Europe/Paris")),
    image=TEXT,
)
WORKFLOWS = st.builds(
    WorkflowSpec,
    name=TEXT,
    tasks=st.lists(TASKS, max_size=3).map(tuple),
    pools=st.lists(
        st.builds(
            PoolSpec,
            name=TEXT,
            executor=TEXT,
            provider=st.none() | TEXT,
            tasks=st.none() | COUNT,
            options=OPTIONS,
            rented=st.none() | RENTED,
        )
        | st.builds(PoolSpec, name=TEXT, executor=TEXT, orphan=SPANS),
        max_size=2,
    ).map(tuple),
    environments=st.lists(ENVIRONMENTS, max_size=2).map(tuple),
    providers=st.dictionaries(TEXT, OPTIONS, max_size=2),
    env_file=st.none() | TEXT,
    strategy=st.builds(StrategySpec, name=TEXT, options=OPTIONS),
    max_tasks=st.none() | COUNT,
    keep_going=st.booleans(),
    max_cost=st.none() | MONEY,
    project=TEXT,
)


@given(spec=WORKFLOWS)
def test_every_workflow_comes_back_as_it_was(spec: WorkflowSpec) -> None:
    assert from_document(to_document(spec)) == spec


@given(spec=WORKFLOWS)
def test_equal_workflows_give_one_text(spec: WorkflowSpec) -> None:
    text = to_document(spec)

    assert to_document(from_document(text)) == text
    text.encode("ascii")


def test_dates_in_options_are_still_dates() -> None:
    options = {"a": date(2026, 1, 2), "b": [datetime(2026, 1, 2, 3, tzinfo=UTC), time(4, 5)], "$date": "x"}

    (pool,) = from_document(to_document(WorkflowSpec(name="w", pools=(PoolSpec(name="p", options=options),)))).pools

    assert pool.options == options


def test_a_document_of_a_newer_form_is_refused_in_words() -> None:
    text = json.dumps({**json.loads(to_document(WorkflowSpec(name="w"))), "version": VERSION + 1})

    with pytest.raises(JournalError, match="use a newer Longshore"):
        from_document(text)


def test_a_strategy_written_before_there_were_options_is_read() -> None:
    text = json.dumps({**json.loads(to_document(WorkflowSpec(name="w"))), "strategy": "random"})

    assert from_document(text).strategy == StrategySpec(name="random")


def test_a_key_of_a_task_that_a_newer_version_added_is_passed_over() -> None:
    spec = WorkflowSpec(name="w", tasks=(TaskSpec(name="a", command=Shell("true")),))
    body = json.loads(to_document(spec))
    body["tasks"][0]["mood"] = "good"

    assert from_document(json.dumps(body)) == spec


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "3",
        "{}",
        '{"version": "1"}',
        '{"version": 1}',
        '{"version": 1, "name": "w", "tasks": [{}]}',
        '{"version": 1, "name": "w", "tasks": [[]]}',
        '{"version": 1, "name": "w", "tasks": [{"name": "a", "command": {"call": "f"}}]}',
        '{"version": 1, "name": "w", "tasks": [{"name": "a", "command": "x", "retry": [0]}]}',
    ],
)
def test_a_damaged_document_is_called_damaged(text: str) -> None:
    with pytest.raises(JournalError, match="damaged"):
        from_document(text)


@pytest.mark.parametrize("orphan", [None, timedelta(hours=2)])
@pytest.mark.parametrize("rented", [None, RentedPool(kinds=(MachineKind(needs=Needs()),))])
def test_a_pools_bucket_is_kept(orphan: timedelta | None, rented: RentedPool | None) -> None:
    pools = (PoolSpec(name="p", executor="ssh", orphan=orphan, rented=rented, store="s3://bucket/stage"),)
    assert from_document(to_document(WorkflowSpec(name="w", pools=pools))).pools == pools
