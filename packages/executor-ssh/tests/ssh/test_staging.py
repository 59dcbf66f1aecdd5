"""Files of all kinds go to a real host and come back as they were; what has no room is said to have none."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore.errors import DigestMismatch, DiskFull
from longshore.model.artifact import Artifact
from longshore.model.attempt import Item
from longshore.model.command import Shell
from longshore.model.outcome import Exited, FailureClass
from longshore.remote.digest import digest_file, digest_folder
from longshore.remote.store import object_path, put_bytes
from longshore_ssh.testing import SECONDS, Lab

from .test_contract import Bench

SPARSE_BYTES = int(os.environ.get("LONGSHORE_SPARSE_BYTES", str(1 << 28)))

root_only = pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a small disk")


@pytest.fixture
def bench(lab: Lab, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path, lab, lab.host())
    yield bench
    bench.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], check=True, timeout=SECONDS)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True, timeout=SECONDS)


def test_a_sparse_file_goes_there_and_back_as_one(bench: Bench) -> None:
    path = bench.project / "sparse"
    with path.open("wb") as file:
        for place, content in ((0, b"begin"), (SPARSE_BYTES // 2, os.urandom(1 << 20)), (SPARSE_BYTES - 3, b"end")):
            file.seek(place)
            file.write(content)
    sha256, size = digest_file(str(path))
    item = Item(path="sparse", sha256=sha256, size=size, source=str(path))

    bench.session.put("r/a/1", [item])
    bench.session.get([Artifact(path="sparse", sha256=sha256, size=size)])

    [there] = bench.host.cache.glob(f"runs/*/store/objects/*/{sha256}")
    here = Path(object_path(str(bench.store), sha256))
    assert digest_file(str(here)) == (sha256, SPARSE_BYTES)
    for each in (there, here):
        assert each.stat().st_size == SPARSE_BYTES
        assert each.stat().st_blocks * 512 < 8 << 20, "holes have become zeros"


def test_a_tree_with_odd_names_modes_links_and_empty_folders_comes_back_as_it_was(bench: Bench) -> None:
    tree = bench.project / "tree"
    names = ["a b", "é", "-rf", "$(touch x)", "line\nbreak", "quote'\"", "tab\t", "*", "\\", "\udcff", "x" * 255]
    for number, name in enumerate(names):
        (tree / "d" / name).mkdir(parents=True)
        (tree / "d" / name / name).write_text(name.encode("utf-8", "replace").decode())
        (tree / "d" / name / name).chmod((0o644, 0o755, 0o600, 0o444)[number % 4])
    (tree / "empty" / "emptier").mkdir(parents=True)
    (tree / "link").symlink_to("d/a b/a b")
    (tree / "dangling").symlink_to("nowhere")
    (tree / "closed").mkdir(mode=0o500)
    before = digest_folder(str(tree))
    item = Item(path="tree", sha256=before.sha256, size=before.size, mode=0o755, kind="folder", source=str(tree))

    ended = bench.execute("a", Shell("cp -a tree copy"), inputs=(item,), outputs=("copy/",))

    assert ended.outcome == Exited(0), ended.evidence
    [output] = ended.outputs
    assert output.sha256 == before.sha256
    bench.session.get([output])
    listing = Path(object_path(str(bench.store), before.sha256)).read_bytes()
    assert listing == before.listing
    for entry in before.entries:
        if entry.kind == "f":
            assert digest_file(object_path(str(bench.store), entry.sha256)) == (entry.sha256, entry.size)


def test_a_folder_whose_listing_is_kept_here_is_sent_as_it_was_seen(bench: Bench) -> None:
    source = bench.project / "data"
    source.mkdir()
    (source / "a").write_text("seen\n")
    folder = digest_folder(str(source))
    put_bytes(str(bench.store), folder.listing, folder.sha256)
    item = Item(path="data", sha256=folder.sha256, size=5, mode=0o755, kind="folder", source=str(source))
    (source / "b").write_text("not seen\n")

    ended = bench.execute("a", Shell("cat data/*"), inputs=(item,))

    assert (ended.outcome, bench.log("a")) == (Exited(0), "seen\n"), ended.evidence


def test_a_file_that_was_changed_in_a_folder_since_it_was_seen_is_named(bench: Bench) -> None:
    source = bench.project / "data"
    source.mkdir()
    (source / "a").write_text("seen\n")
    folder = digest_folder(str(source))
    put_bytes(str(bench.store), folder.listing, folder.sha256)
    item = Item(path="data", sha256=folder.sha256, size=5, mode=0o755, kind="folder", source=str(source))
    (source / "a").write_text("SEEN\n")

    with pytest.raises(DigestMismatch, match=r"input data/a: .* has changed since the run looked at it"):
        bench.go("a", Shell("cat data/*"), inputs=(item,))


def test_an_empty_file_and_one_byte_less_and_more_than_a_piece_arrive(bench: Bench) -> None:
    items = []
    for size in (0, 1, (1 << 18) - 1, 1 << 18, (1 << 18) + 1):
        path = bench.project / str(size)
        path.write_bytes(os.urandom(size))
        sha256, _ = digest_file(str(path))
        items.append(Item(path=path.name, sha256=sha256, size=size, source=str(path)))

    ended = bench.execute("a", Shell("sha256sum *"), inputs=tuple(items))

    assert ended.outcome == Exited(0)
    assert bench.log("a") == "".join(f"{item.sha256}  {item.path}\n" for item in sorted(items, key=lambda i: i.path))


@root_only
def test_a_disk_that_is_full_here_is_said_and_keeps_nothing_half(bench: Bench, small_disk: Path) -> None:
    bench.store = small_disk / "store"
    ended = bench.execute("a", Shell("head -c 8000000 /dev/zero | tr '\\0' x > big; echo s > small"), outputs=("*",))

    with pytest.raises(DiskFull):
        bench.session.get(ended.outputs)

    left = [path for path in small_disk.rglob("*") if path.is_file()]
    assert [path for path in left if path.stat().st_size > 2] == []
    small = next(each for each in ended.outputs if each.path == "small")
    bench.session.get([small])
    assert Path(object_path(str(bench.store), small.sha256)).read_bytes() == b"s\n"


@root_only
def test_outputs_that_do_not_fit_on_the_host_fail_as_a_full_disk(lab: Lab, tmp_path: Path) -> None:
    host = lab.host()
    options = f"size=3m,mode=700,uid={host.home.stat().st_uid}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(host.home)], check=True, timeout=SECONDS)
    try:
        bench = Bench(tmp_path, lab, host)
        ended = bench.execute("a", Shell("head -c 8000000 /dev/zero > big"), outputs=("big",))
        bench.close()
    finally:
        host.close()
        subprocess.run(["umount", "-l", str(host.home)], check=True, timeout=SECONDS)

    assert ended.failure is FailureClass.DISK_FULL, ended
