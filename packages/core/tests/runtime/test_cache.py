"""What earlier runs have made is found again as long as all of it is there, and room is made by what was used least
recently.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from longshore.model.artifact import Artifact
from longshore.remote.digest import digest_folder
from longshore.remote.store import object_path, put_bytes, put_folder
from longshore.runtime.cache import Cache, Cleaned, Success

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SECONDS = 120.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "runs" / "r1").mkdir(parents=True)
    return tmp_path / "cache"


@pytest.fixture
def cache(folder: Path) -> Cache:
    return Cache(folder, cap_bytes=250)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def stored(folder: Path, content: bytes, path: str = "out") -> Artifact:
    sha256 = hashlib.sha256(content).hexdigest()
    put_bytes(str(folder), content, sha256)
    return Artifact(path=path, sha256=sha256, size=len(content))


def success(name: str, *outputs: Artifact, run: str = "r1", parts: str = "{}", workflow: str = "") -> Success:
    return Success(
        identity=digest(name), workflow=workflow, task=name, run=run, at=NOW, parts=parts, outputs=outputs, result="7"
    )


def there(folder: Path, artifact: Artifact) -> bool:
    return Path(object_path(str(folder), artifact.sha256)).exists()


def found(cache: Cache, *names: str) -> set[str]:
    return {each.task for each in cache.look_up([digest(name) for name in names]).values()}


def test_what_is_remembered_is_found_by_identity_in_every_later_process(folder: Path, cache: Cache) -> None:
    one = success("fit", stored(folder, b"content"), parts='{"command":"x"}')
    cache.remember([one, success("plot")])
    cache.close()

    assert Cache(folder).look_up([one.identity, digest("other")]) == {one.identity: one}


def test_a_look_into_an_empty_project_makes_nothing(folder: Path, cache: Cache) -> None:
    assert cache.look_up([digest("fit")]) == {}
    assert cache.latest("fit") is None
    assert cache.trim() == Cleaned()
    assert not folder.exists()


def test_a_success_counts_only_while_its_outputs_are_there(folder: Path, cache: Cache) -> None:
    lost, kept = stored(folder, b"lost"), stored(folder, b"kept")
    cache.remember([success("fit", lost, kept), success("plot", kept)])

    Path(object_path(str(folder), lost.sha256)).unlink()

    assert found(cache, "fit", "plot") == {"plot"}


def test_a_success_whose_output_was_cut_short_does_not_count(folder: Path, cache: Cache) -> None:
    output = stored(folder, b"content")
    cache.remember([success("fit", output)])
    place = Path(object_path(str(folder), output.sha256))
    place.chmod(0o644)
    place.write_bytes(b"con")

    assert found(cache, "fit") == set()


def test_a_folder_counts_only_while_all_its_files_are_there(tmp_path: Path, folder: Path, cache: Cache) -> None:
    (tmp_path / "data" / "sub").mkdir(parents=True)
    (tmp_path / "data" / "sub" / "a").write_bytes(b"aa")
    listed = digest_folder(str(tmp_path / "data"))
    put_folder(str(folder), str(tmp_path / "data"), listed)
    cache.remember([success("fit", Artifact(path="data", sha256=listed.sha256, size=listed.size, kind="folder"))])
    assert found(cache, "fit") == {"fit"}

    Path(object_path(str(folder), hashlib.sha256(b"aa").hexdigest())).unlink()

    assert found(Cache(folder), "fit") == set()


def test_a_task_without_outputs_is_found(cache: Cache) -> None:
    cache.remember([success("notify")])

    assert found(cache, "notify") == {"notify"}


def test_the_latest_success_of_a_task_is_known_by_its_workflow(cache: Cache) -> None:
    old, new, other = (
        success("fit", parts='{"v":1}'),
        Success(identity=digest("fit 2"), task="fit", run="r2", at=NOW, parts='{"v":2}'),
        success("fit", parts='{"v":3}', workflow="other"),
    )
    cache.remember([old])
    cache.remember([new])

    assert cache.latest("fit") == new
    assert cache.latest("fit", workflow="other") is None
    cache.remember([other])
    assert cache.latest("fit", workflow="other") == other
    assert cache.latest_of(["fit", "none"]) == {"fit": new}


def test_names_and_results_may_hold_anything(cache: Cache) -> None:
    odd = Success(
        identity=digest("x"), task='it\'s "odd" [a=\n;--]', run="r1", at=NOW, parts='{"a":"\\udcff"}', result='"☃"'
    )
    cache.remember([odd])

    assert cache.look_up([odd.identity])[odd.identity] == odd


def test_under_the_cap_nothing_is_removed(folder: Path, cache: Cache) -> None:
    output = stored(folder, b"x" * 250)
    cache.remember([success("fit", output)])
    cache.unpin("r1")

    assert cache.trim() == Cleaned()
    assert found(cache, "fit") == {"fit"}


def use_again(folder: Path, name: str, days_ago: float) -> None:
    """Make a success look as if it had been used so long ago."""
    import sqlite3  # noqa: PLC0415

    used = (datetime.now(UTC) - timedelta(days=days_ago)).timestamp()
    db = sqlite3.connect(folder / "index.db")
    with db:
        db.execute("UPDATE successes SET used = ? WHERE identity = ?", (used, digest(name)))
    db.close()


def test_above_the_cap_what_was_used_least_recently_goes(folder: Path, cache: Cache) -> None:
    outputs = {name: stored(folder, name.encode() * 100) for name in "abc"}
    cache.remember([success(name, output) for name, output in outputs.items()])
    cache.unpin("r1")
    for days, name in enumerate("bca", start=1):
        use_again(folder, name, days)

    assert cache.trim() == Cleaned(tasks=1, objects=1, bytes=100)
    assert found(cache, "a", "b", "c") == {"b", "c"}
    assert not there(folder, outputs["a"])
    assert cache.trim() == Cleaned()


def test_being_found_is_being_used(folder: Path, cache: Cache) -> None:
    outputs = {name: stored(folder, name.encode() * 100) for name in "abc"}
    cache.remember([success(name, output) for name, output in outputs.items()])
    cache.unpin("r1")
    for days, name in enumerate("bca", start=1):
        use_again(folder, name, days)

    found(cache, "a")
    cache.trim()

    assert found(cache, "a", "b", "c") == {"a", "b"}


def test_an_object_that_another_success_needs_stays(folder: Path, cache: Cache) -> None:
    shared, own = stored(folder, b"s" * 200), stored(folder, b"o" * 100)
    cache.remember([success("old", shared, own), success("new", shared)])
    cache.unpin("r1")
    use_again(folder, "old", 1)

    assert cache.trim() == Cleaned(tasks=1, objects=1, bytes=100)
    assert found(cache, "old", "new") == {"new"}


def test_what_a_run_needs_stays_until_it_has_ended(folder: Path, cache: Cache) -> None:
    output = stored(folder, b"x" * 1000)
    cache.remember([success("fit", output)])

    assert cache.trim() == Cleaned()
    assert cache.clean(everything=True) == Cleaned()
    cache.unpin("r1")
    assert cache.trim() == Cleaned(tasks=1, objects=1, bytes=1000)


def test_what_a_run_was_answered_with_stays_too(folder: Path, cache: Cache) -> None:
    (folder.parent / "runs" / "r2").mkdir()
    cache.remember([success("fit", stored(folder, b"x" * 1000))])
    cache.look_up([digest("fit")], run="r2")
    cache.unpin("r1")

    assert cache.clean(everything=True) == Cleaned()


def test_a_run_whose_folder_is_gone_needs_nothing(folder: Path, cache: Cache) -> None:
    cache.remember([success("fit", stored(folder, b"x" * 1000))])
    (folder.parent / "runs" / "r1").rmdir()

    assert cache.clean(everything=True, dry_run=True) == Cleaned(tasks=1, objects=1, bytes=1000)
    assert cache.trim() == Cleaned(tasks=1, objects=1, bytes=1000)


def test_why_a_task_runs_whose_outputs_had_to_go_can_still_be_told(folder: Path, cache: Cache) -> None:
    cache.remember([success("fit", stored(folder, b"x" * 1000))])
    cache.unpin("r1")
    cache.trim()

    assert cache.look_up([digest("fit")]) == {}
    assert cache.latest("fit") is not None


def test_a_task_whose_outputs_had_to_go_is_found_when_it_has_run_again(folder: Path, cache: Cache) -> None:
    for _ in range(2):
        cache.remember([success("fit", stored(folder, b"x" * 1000))])
        assert found(cache, "fit") == {"fit"}
        cache.unpin("r1")
        cache.trim()


def test_cleaning_everything_forgets_everything(folder: Path, cache: Cache) -> None:
    cache.remember([success("fit", stored(folder, b"x" * 10)), success("notify")])
    cache.unpin("r1")

    assert cache.clean(everything=True) == Cleaned(tasks=2, objects=1, bytes=10)
    assert found(cache, "fit", "notify") == set()
    assert cache.latest("fit") is None


def test_cleaning_by_age_takes_what_was_not_used_since(folder: Path, cache: Cache) -> None:
    cache.remember([success("old", stored(folder, b"o")), success("new", stored(folder, b"n"))])
    cache.unpin("r1")
    use_again(folder, "old", 31)

    assert cache.clean(older_than=timedelta(days=30)) == Cleaned(tasks=1, objects=1, bytes=1)
    assert found(cache, "old", "new") == {"new"}


def test_a_dry_run_tells_the_same_and_removes_nothing(folder: Path, cache: Cache) -> None:
    output = stored(folder, b"x" * 10)
    cache.remember([success("fit", output)])
    cache.unpin("r1")

    told = cache.clean(everything=True, dry_run=True)

    assert found(cache, "fit") == {"fit"}
    assert cache.clean(everything=True) == told


def test_a_fresh_object_that_nobody_needs_is_left_alone(folder: Path, cache: Cache) -> None:
    output = stored(folder, b"a run is about to note this")

    cache.clean(everything=True)

    assert there(folder, output)


def test_a_damaged_object_is_found_out_and_never_handed_out(folder: Path, cache: Cache) -> None:
    output = stored(folder, b"content")
    cache.remember([success("fit", output)])
    assert cache.verify(output.sha256)
    place = Path(object_path(str(folder), output.sha256))
    place.chmod(0o644)
    place.write_bytes(b"CONTENT")

    assert found(cache, "fit") == {"fit"}  # of the same size, so only its digest tells
    assert not cache.verify(output.sha256)
    assert found(cache, "fit") == set()
    assert not cache.verify(output.sha256)


@pytest.mark.parametrize("damage", [b"", b"no database at all" * 500])
def test_a_damaged_index_is_moved_aside_and_begins_anew(
    folder: Path, cache: Cache, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    cache.remember([success("fit")])
    cache.close()
    (folder / "index.db").write_bytes(damage)

    assert found(cache, "fit") == set()
    cache.remember([success("fit")])
    assert found(cache, "fit") == {"fit"}
    assert len(caplog.records) == (1 if damage else 0)
    assert ("tasks that were up to date may run again" in caplog.text) == bool(damage)


def test_an_index_that_is_damaged_in_the_middle_begins_anew(
    folder: Path, cache: Cache, caplog: pytest.LogCaptureFixture
) -> None:
    cache.remember([success(f"t{number}", parts="x" * 500) for number in range(500)])
    cache.close()
    size = (folder / "index.db").stat().st_size
    with (folder / "index.db").open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))

    cache.look_up([digest(f"t{number}") for number in range(500)])
    cache.remember([success("fit")])

    assert found(cache, "fit") == {"fit"}
    assert len(caplog.records) == 1


def test_an_index_of_a_newer_version_is_left_alone(
    folder: Path, cache: Cache, caplog: pytest.LogCaptureFixture
) -> None:
    import sqlite3  # noqa: PLC0415

    cache.remember([success("fit")])
    cache.close()
    db = sqlite3.connect(folder / "index.db")
    db.execute("PRAGMA user_version = 99")
    db.close()
    before = (folder / "index.db").read_bytes()

    cache.remember([success("plot")])

    assert found(cache, "fit", "plot") == set()
    assert (folder / "index.db").read_bytes() == before
    assert "has format 99" in caplog.text
    assert len(caplog.records) == 1


REMEMBER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from longshore.runtime.cache import Cache, Success
cache = Cache(Path(sys.argv[1]))
for number in range(50):
    name = f"{sys.argv[2]}-{number}"
    cache.remember([Success(identity=name, task=name, run="r1", at=datetime.now(UTC), parts="{}")])
    assert len(cache.look_up([name], run="r1")) == 1
"""


def test_several_processes_use_it_at_once(folder: Path, cache: Cache) -> None:
    processes = [subprocess.Popen([sys.executable, "-c", REMEMBER, str(folder), str(number)]) for number in range(3)]
    codes = [process.wait(SECONDS) for process in processes]

    assert codes == [0, 0, 0]
    names = [f"{process}-{number}" for process in range(3) for number in range(50)]
    assert set(cache.look_up(names)) == set(names)


def test_what_has_come_home_for_a_run_stays_while_the_rest_is_still_on_its_machine(folder: Path, cache: Cache) -> None:
    come = stored(folder, b"has come home")
    away = Artifact(path="big", sha256=digest("still on its machine"), size=20)
    cache.remember([success("fit", come, away, run="r1")])
    cache.remember([success("same", come, run="gone")])

    cache.clean(everything=True)

    assert there(folder, come)
