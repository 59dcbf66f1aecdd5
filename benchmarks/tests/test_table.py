from __future__ import annotations

import json
from dataclasses import replace

from figures import WALL, Row
from machine import Machine
from table import as_json, as_markdown, as_text

QUIET = Machine(
    cores=2,
    processor="Abacus",
    memory_gib=24,
    kernel="Linux 6",
    python="3.11.7",
    load_average=0.1,
    busy_cores=0.0,
)
BUSY = Machine(**{**QUIET.as_dict(), "busy_cores": 1.5})  # type: ignore[arg-type]  # the same facts but one
ROWS = [
    Row(
        scenario="fan-9",
        contender="longshore",
        label="longshore",
        quantity=WALL,
        unit="s",
        value=2.0,
        samples=(2.0,),
        rate=4.5,
    ),
    Row(
        scenario="fan-9",
        contender="make",
        label="make",
        quantity=WALL,
        unit="s",
        value=1.0,
        samples=(1.0,),
        rate=9.0,
        ratio=0.5,
        bar=">= 0.6x",
        met=False,
    ),
    Row(
        scenario="fan-9",
        contender="luigi",
        label="luigi",
        quantity=WALL,
        unit="s",
        bar=">= 5x",
        reason="did not install: no network",
    ),
]


def test_the_text_table_has_aligned_columns_and_names_a_scenario_once() -> None:
    assert as_text(ROWS, QUIET).splitlines()[2:7] == [
        "scenario  tool       median  per second  Longshore is  bar      verdict",
        "--------  ---------  ------  ----------  ------------  -------  ------------",
        "fan-9     longshore     2 s           4",
        "          make          1 s           9         0.50x  >= 0.6x  MISSED",
        "          luigi           -                            >= 5x    not measured",
    ]


def test_the_markdown_table_has_the_same_cells() -> None:
    assert "|  | make | 1 s | 9 | 0.50x | >= 0.6x | MISSED |" in as_markdown(ROWS, QUIET).splitlines()


def test_who_was_not_measured_is_listed_with_the_reason() -> None:
    assert as_text(ROWS, QUIET).splitlines()[-1] == "- fan-9, luigi: did not install: no network"


def test_a_reason_is_given_once_for_each_who_has_it() -> None:
    luigi = ROWS[2]
    memory = replace(luigi, label="luigi: peak memory")
    parsl = replace(luigi, contender="parsl", label="parsl")
    assert as_text([luigi, memory, parsl], QUIET).splitlines()[-2:] == [
        "- fan-9, luigi: did not install: no network",
        "- fan-9, parsl: did not install: no network",
    ]


def test_a_busy_machine_is_warned_of_above_the_table() -> None:
    assert "WARNING: 1.5 of 2 cores were busy" in as_text(ROWS, BUSY)
    assert "WARNING" not in as_text(ROWS, QUIET)


def test_json_has_every_sample_and_the_machine() -> None:
    document = json.loads(as_json(ROWS, QUIET, rounds=1))
    assert document["machine"]["processor"] == "Abacus"
    assert document["rows"][1]["samples"] == [1.0]
