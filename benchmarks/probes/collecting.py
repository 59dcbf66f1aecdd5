"""Collect the rows of many members in one table, and print the seconds and the bytes of memory at most.

Usage: collecting.py TABLE ROWS FOLDER
"""

from __future__ import annotations

import hashlib
import json
import resource
import sys
import time
from pathlib import Path

from longshore.model.artifact import Artifact
from longshore.model.command import Shell
from longshore.model.events import TableMade
from longshore.model.task import Collect, Parameter, TaskSpec, Values
from longshore.remote.store import put_bytes
from longshore.runtime.collecting import Collecting, Member
from longshore.scheduler.state import TaskPhase

COLUMNS = 15


def made_member(number: int, store: Path) -> Member:
    """Make a member that has succeeded, with a row of some 20 values in the store."""
    row = {"score": number / 7, "name": f"x{number}", "deep": {"tags": ["a", number], "ok": True}}
    content = json.dumps({**row, **{f"c{column}": column * number for column in range(COLUMNS)}}).encode()
    sha256 = hashlib.sha256(content).hexdigest()
    put_bytes(str(store), content, sha256)
    return Member(
        task=f"fit[n={number}]",
        params=(("n", str(number)),),
        phase=TaskPhase.SUCCEEDED,
        failure=None,
        source=Artifact(path="row.json", sha256=sha256, size=len(content)),
        result=None,
    )


def main(table: str, rows: int, folder: Path) -> None:
    """Make the members, and the table once."""
    store, run = folder / "store", folder / "run"
    for made in (store, run):
        made.mkdir(parents=True)
    members = [made_member(number, store) for number in range(rows)]
    values = Values(tuple(str(number) for number in range(rows)))
    spec = TaskSpec(
        name="fit",
        command=Shell("true"),
        for_each=(Parameter("n", values),),
        collect=Collect(into=table, source="row.json"),
    )
    told: list[TableMade] = []
    collecting = Collecting(store=store, results=folder / "results", run_folder=run, post=told.append)
    began = time.perf_counter()
    collecting.make(spec, 0, members)
    seconds = time.perf_counter() - began
    assert (told[0].rows, told[0].problem) == (rows, ""), told[0]
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
