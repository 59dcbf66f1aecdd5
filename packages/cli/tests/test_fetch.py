"""``longshore fetch`` copies what tasks have written, while the run goes on and afterwards."""

from __future__ import annotations

import shutil

from .harness import SECONDS, Project, wait_for

FIT = """\
name = "f"
[tasks.fit]
for_each.n = [1, 2]
command = "test $n = 1 || while ! test -e {folder}/go; do sleep 0.02; done; echo a > n.csv; echo $n >> n.csv"
outputs = ["n.csv"]
collect = "all.csv"
[tasks.kept]
command = "mkdir d; echo hidden > d/x"
outputs = ["d/"]
[tasks.reader]
command = "cat workflow:///kept/d/x > y.txt"
outputs = ["y.txt"]
[tasks.gate]
after = ["reader"]
command = "touch {folder}/kept"
"""
DONE = 'name = "f"\n[tasks.a]\ncommand = "echo a > a.txt"\noutputs = ["a.txt"]\n[tasks.bad]\ncommand = "false"\n'


def test_what_has_succeeded_is_fetched_while_the_run_goes_on(project: Project) -> None:
    project.write(FIT.format(folder=project.folder))
    running = project.begin("run", "-q")
    wait_for(project.folder / "kept")

    refused = project.call("fetch", "--to", "got", code=2).err
    assert "--now fetches what there is" in refused
    assert not (project.folder / "got").exists()

    now = project.call("fetch", "--to", "got", "--now", "--json").json
    assert (project.folder / "got" / "kept" / "d" / "x").read_text() == "hidden\n", "also what does not come home"
    assert "fit[n=2]" in now["unready"]
    assert project.call("fetch", "kept", "--to", "other").out.startswith("1 output of run ")
    assert sorted(path.name for path in (project.folder / "other").iterdir()) == ["kept"]

    (project.folder / "go").touch()
    running.communicate(timeout=SECONDS)
    assert project.call("fetch", "fit", "--to", "got", code=0).out.startswith("4 outputs of run ")
    assert (project.folder / "got" / "fit" / "all.csv").read_text() == "n,a\n1,1\n2,2\n"


def test_what_a_failed_task_has_not_written_and_what_is_no_longer_there_is_told(project: Project) -> None:
    project.write(DONE)
    project.call("run", code=1)

    failed = project.call("fetch", "--to", "got", code=1)
    assert "1 output of run " in failed.out
    assert "1 task did not succeed" in failed.out

    shutil.rmtree(project.folder / ".longshore" / "cache" / "objects")
    gone = project.call("fetch", "a", "--to", "again", code=1)
    assert "the store does not have" in gone.err
    assert "`longshore run --rerun a`" in gone.err


def test_names_of_tasks_are_checked_before_anything_is_written(project: Project) -> None:
    project.write(DONE)
    project.call("run", code=1)

    assert "has no task 'aa'" in project.call("fetch", "aa", "--to", "got", code=2).err
    assert not (project.folder / "got").exists()
