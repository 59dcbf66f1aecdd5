"""What of a run is kept in a bucket for other computers: copies of its journal, and all of one that is over."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from longshore import load, start
from longshore.errors import FenceRefused, LongshoreError
from longshore.remote.store import has_object
from longshore.runtime.copies import JournalCopies, fetch_copy, newest_copy
from longshore.runtime.history import RunReader
from longshore.runtime.journal import Journal
from longshore.runtime.leaving import bring_outputs, bring_record, find_left, leave_run, remove_kept
from longshore.runtime.project import Project
from longshore.runtime.stores import Stores

pytestmark = pytest.mark.usefixtures("cloud")

_WORKFLOW = """
name = "kept"

[pools.cloud]
executor = "ssh"
store = "s3://BUCKET/stage"

[tasks.one]
command = "mkdir d; echo x > d/x; echo y > y"
outputs = ["d/", "y"]
pool = "local"
"""


@pytest.fixture
def over(tmp_path: Path, bucket: str) -> tuple[Project, str]:
    """Make a run that is over, of a workflow with a pool that has a store."""
    folder = tmp_path / "there"
    folder.mkdir()
    (folder / "longshore.toml").write_text(_WORKFLOW.replace("BUCKET", bucket))
    loaded = load(folder / "longshore.toml")
    with start(loaded.spec, loaded.folder) as run:
        run.wait(timeout=120)
    assert run.state == "succeeded"
    return Project(folder), run.id


def _deaf(_: LongshoreError) -> None:
    return


def test_the_newest_controllers_copy_counts_and_stops_the_one_before(
    over: tuple[Project, str], bucket: str, tmp_path: Path
) -> None:
    project, run = over
    journal, folder, stores = project.run_folder(run) / "run.db", f"s3://{bucket}/stage/{run}", Stores()
    assert newest_copy(folder, stores) is None

    with closing(JournalCopies(journal, folder, 1, fail=_deaf, stores=stores)) as first:
        first.begin()
        assert newest_copy(folder, stores) == 1
        with closing(JournalCopies(journal, folder, 2, fail=_deaf, stores=stores)) as second:
            second.begin()
        with pytest.raises(FenceRefused, match="another computer has taken the run over"):
            JournalCopies(journal, folder, 1, fail=_deaf, stores=stores).begin()

    assert newest_copy(folder, stores) == 2
    taken = tmp_path / "taken"
    taken.mkdir()
    fetch_copy(folder, 2, taken / "run.db", stores)
    with closing(Journal.open(taken)) as copy, closing(Journal.open(project.run_folder(run))) as original:
        assert list(copy.events()) == list(original.events())


def test_a_run_that_was_left_in_a_bucket_is_had_whole_elsewhere_and_leaves_nothing_there(
    over: tuple[Project, str], bucket: str, cloud: Any, tmp_path: Path
) -> None:
    project, run = over
    url, stores, here = f"s3://{bucket}/stage", Stores(), Project(tmp_path / "here")
    here.folder.mkdir()
    here.make_home()
    assert find_left([url], run, stores) is None

    assert leave_run(project, run, stores) == find_left([url], run, Stores())
    left = find_left([url], run, stores)
    assert left is not None
    bring_record(left, here, stores, here.runs)
    bring_outputs(left, here, stores)

    assert RunReader(here.run_folder(run)).info() == RunReader(project.run_folder(run)).info()
    outputs = RunReader(here.run_folder(run)).replay().tasks["one"].outputs
    assert [each.path for each in outputs] == ["d", "y"]
    assert all(has_object(str(here.store), each.sha256) for each in outputs)
    remove_kept([url], run, stores)
    assert "Contents" not in cloud.list_objects_v2(Bucket=bucket)
