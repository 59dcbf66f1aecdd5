"""What other computers ask of the machine of a controller: of another version, or for places that are not theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.errors import UsageError
from longshore.runtime.project import Project
from longshore_cli.away.listing import list_runs
from longshore_cli.away.seats import VERSION, Seat, keep_seat
from longshore_cli.away.sitting import begin, join, take_files

from .harness import Project as Folder


@pytest.mark.parametrize("version", [None, 0, VERSION + 1, str(VERSION)])
def test_who_speaks_another_version_is_refused_in_words_and_nothing_is_made(tmp_path: Path, version: object) -> None:
    with pytest.raises(UsageError, match="use the same Longshore on both"):
        begin(tmp_path / "there", {"version": version, "run": "20260314-092653-0042"})
    with pytest.raises(UsageError, match="use the same Longshore on both"):
        join(Project(tmp_path), {"version": version, "run": "20260314-092653-0042"})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["../out", "a/../../out", "/out", "..", "a//../../out"])
@pytest.mark.parametrize("as_link", [False, True])
def test_no_file_is_laid_outside_of_the_projects_folder(tmp_path: Path, path: str, as_link: bool) -> None:
    project = Project(tmp_path / "project")
    project.folder.mkdir()
    project.make_home()
    files = [] if as_link else [[path, "0" * 64, 0, 0o644]]
    request = {"files": files, "links": [[path, "/etc/passwd"]] if as_link else [], "store": str(tmp_path / "store")}

    with pytest.raises(UsageError, match="leads out of the project's folder"):
        take_files(project, request)

    assert [each.name for each in tmp_path.iterdir()] == ["project"]


@pytest.mark.parametrize("name", ["../x", "a/b", "..", ".", "", "/tmp/x"])
def test_a_project_has_a_name_and_no_path(project: Folder, name: str) -> None:
    refused = project.call("away", "begin", "--", name, code=2)

    assert "is no name of a folder" in refused.err


def test_a_run_whose_record_was_removed_is_never_begun_again_and_is_forgotten(tmp_path: Path) -> None:
    seat = tmp_path / "p-1" / ".longshore" / "seat"
    seat.mkdir(parents=True)
    (seat / "20260314-092653-0042.json").write_text('{"name": "pv"}')
    (seat / "20260314-092653-0042.log").write_text("said\n")

    assert list_runs(tmp_path) == []

    assert list(seat.iterdir()) == []


def test_a_run_whose_controller_is_elsewhere_is_listed_and_a_full_screen_says_what_asks_there(project: Folder) -> None:
    project.write('name = "pv"\n[tasks.one]\ncommand = "true"\n')
    project.call("run", "-q")
    [here] = project.call("runs", "--json").json["runs"]
    run = "20990314-092653-0042"
    keep_seat(Project(project.folder), Seat(run=run, workflow="pv", machine="me@h1"))

    listed = project.call("runs", "--json").json["runs"]

    assert listed == [{"id": run, "workflow": "pv", "state": "away", "machine": "me@h1"}, here]
    assert f"{run}  pv        away, on me@h1" in project.call("runs").out
    assert "is on me@h1" in project.call("watch", code=2).err
    assert "needs a terminal" in project.call("watch", here["id"], code=2).err
