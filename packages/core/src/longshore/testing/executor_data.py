"""The laws of an executor about data, E7 of `longshore.plugin.protocols`; part of `ExecutorContract`."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve

from longshore.errors import InputMissing, StagingError
from longshore.model.artifact import Artifact
from longshore.model.attempt import Item
from longshore.model.command import Argv, Shell
from longshore.model.outcome import Exited, FailureClass
from longshore.remote.digest import digest_bytes, digest_file, digest_folder
from longshore.remote.laying import Piece, lay_items
from longshore.remote.store import put_bytes
from longshore.testing.contract import Contract
from longshore.testing.executor_bench import ExecutorBench

__all__ = ["DataLaws"]


class DataLaws(Contract):
    """What is moved is whole, is what its digest says, and does not travel twice."""

    def test_E7_inputs_are_laid_as_they_are(self, bench: ExecutorBench) -> None:
        """What is put from the store or from a file of the project is what the command reads."""
        stored, named = b"hello\n" * 1000, b"name\n"
        put_bytes(str(bench.store), stored, digest_bytes(stored))
        (bench.project / "named").write_bytes(named)
        source = str(bench.project / "named")
        items = (
            Item(path="in/stored.txt", sha256=digest_bytes(stored), size=len(stored)),
            Item(path="named.txt", sha256=digest_bytes(named), size=len(named), source=source),
        )

        ended = bench.execute("a", Shell("cat in/stored.txt named.txt"), inputs=items)

        assert ended.outcome == Exited(0), ended.evidence
        assert bench.log("a").encode() == stored + named

    def test_E7_put_refuses_what_is_nowhere(self, bench: ExecutorBench) -> None:
        """`Session.put` says by name what it cannot find."""
        item = Item(path="in.txt", sha256=digest_bytes(b"x"), size=1)

        with pytest.raises(InputMissing, match=r"in\.txt"):
            bench.go("a", Argv(("true",)), inputs=(item,))

    def test_E7_damaged_bytes_reach_no_command(self, bench: ExecutorBench) -> None:
        """Input that is not what its digest says is noticed before the command starts."""
        sha256 = digest_bytes(b"hello")
        put_bytes(str(bench.store), b"hello", sha256)
        stored = bench.store / "objects" / sha256[:2] / sha256
        stored.chmod(0o644)
        stored.write_bytes(b"hell")
        item = Item(path="in.txt", sha256=sha256, size=5)

        try:
            ended = bench.execute("a", Shell("cat in.txt"), inputs=(item,))
        except StagingError:
            return
        assert (ended.outcome, ended.failure) != (Exited(0), None), "the command got damaged bytes"
        assert ended.failure is FailureClass.STAGING
        assert ended.started_at is None

    def test_E7_outputs_are_told_by_their_digests(self, bench: ExecutorBench) -> None:
        """`AttemptEnded` says digest, size and mode of each output, computed on the machine."""
        ended = bench.execute("a", Shell("printf hello > o.txt; chmod 755 o.txt"), outputs=("o.txt",))

        told = [(each.path, each.sha256, each.size, each.mode) for each in ended.outputs]
        assert told == [("o.txt", digest_bytes(b"hello"), 5, 0o755)]

    def test_E7_folders_are_laid_as_they_are(self, bench: ExecutorBench) -> None:
        """Of a folder of the project the command finds files, modes, links and empty folders as they are."""
        source = bench.project / "tree"
        (source / "empty").mkdir(parents=True)
        (source / "run.sh").write_text("echo hello")
        (source / "run.sh").chmod(0o755)
        (source / "link").symlink_to("run.sh")
        folder = digest_folder(str(source))
        item = Item(path="tree", sha256=folder.sha256, size=folder.size, mode=0o755, kind="folder", source=str(source))

        ended = bench.execute("a", Shell("tree/link; readlink tree/link; ls -A tree tree/empty"), inputs=(item,))

        assert ended.outcome == Exited(0), ended.evidence
        assert bench.log("a") == "hello\nrun.sh\ntree:\nempty\nlink\nrun.sh\n\ntree/empty:\n"

    def test_E7_what_the_machine_has_need_not_be_here(self, bench: ExecutorBench) -> None:
        """`Session.put` asks only for what the machine lacks, also of a folder."""
        if bench.machine.store == "":
            pytest.skip("the machine has the project's store")
        first = bench.execute("a", Shell("mkdir d; seq 1000 > d/a; echo b > d/b"), outputs=("d", "d/a"))
        folder, file = sorted(first.outputs, key=lambda each: each.kind, reverse=True)
        bench.session.get([evolve(folder, kind="file")])
        items = (
            Item(path="in/d", sha256=folder.sha256, size=folder.size, mode=folder.mode, kind="folder"),
            Item(path="in/a", sha256=file.sha256, size=file.size),
        )

        ended = bench.execute("b", Shell("cat in/a in/d/*"), inputs=items)

        assert ended.outcome == Exited(0), ended.evidence
        assert bench.log("b") == 2 * "".join(f"{number}\n" for number in range(1, 1001)) + "b\n"
        assert [path.name for path in bench.store.glob("objects/*/*")] == [folder.sha256], "a file came here"

    def test_E7_get_brings_outputs_home_whole(self, bench: ExecutorBench, tmp_path: Path) -> None:
        """After `Session.get` the project's store has files and folders with all that is in them."""
        text = "mkdir -p d/empty; seq 100000 > d/a; printf x > d/b; chmod 600 d/b; ln -s b d/l; echo hello > o.txt"
        ended = bench.execute("a", Shell(text), outputs=("d", "o.txt"))

        bench.session.get(ended.outputs)
        bench.session.get(ended.outputs)

        pieces = [Piece(each.path, each.sha256, each.size, each.mode, each.kind) for each in ended.outputs]
        (tmp_path / "here").mkdir()
        lay_items(pieces, str(bench.store), str(tmp_path / "here"), {})
        assert digest_folder(str(tmp_path / "here" / "d")).sha256 == ended.outputs[0].sha256
        assert (tmp_path / "here" / "o.txt").read_text() == "hello\n"

    def test_E7_get_says_what_it_cannot_find_and_leaves_nothing_half(self, bench: ExecutorBench) -> None:
        """`Session.get` says by name what the machine does not have."""
        ended = bench.execute("a", Argv(("touch", "o.txt")), outputs=("o.txt",))
        sha256 = digest_bytes(b"nobody wrote this")

        with pytest.raises(InputMissing, match="nothing"):
            bench.session.get([*ended.outputs, Artifact(path="nothing", sha256=sha256, size=17)])

        found = {path.name for path in bench.store.glob("objects/*/*")}
        assert found <= {digest_bytes(b"")}, "something half was left"

    def test_E7_what_was_discarded_is_gone(self, bench: ExecutorBench) -> None:
        """After `Session.discard` the machine does not have the object; to discard it again is silent."""
        if bench.machine.store == "":
            pytest.skip("the machine has the project's store")
        ended = bench.execute("a", Shell("echo x > o.txt"), outputs=("o.txt",))
        bench.session.release("r/a/1")

        for _ in range(2):
            bench.session.discard([each.sha256 for each in ended.outputs])

        with pytest.raises(InputMissing, match=r"o\.txt"):
            bench.session.get(ended.outputs)

    def test_E7_what_an_attempt_has_written_is_not_discarded_before_it_is_released(self, bench: ExecutorBench) -> None:
        """`Session.discard` leaves what another attempt has written too: the controller may not have heard of it."""
        if bench.machine.store == "":
            pytest.skip("the machine has the project's store")
        first = bench.execute("a", Shell("echo x > o.txt"), outputs=("o.txt",))
        second = bench.execute("b", Shell("mkdir d; echo x > d/same"), outputs=("d",))
        bench.session.release("r/a/1")

        bench.session.discard([each.sha256 for each in first.outputs])

        bench.session.get(second.outputs)

    def test_E7_fetch_brings_a_whole_file_or_none(self, bench: ExecutorBench, tmp_path: Path) -> None:
        """`Session.fetch` brings files of a kept workdir whole; what cannot be had leaves nothing half."""
        identity = bench.go("a", Shell("seq 100000 > numbers; exit 1"))
        bench.ended("a")
        here = tmp_path / "here"

        bench.session.fetch(identity, ["numbers"], here)

        assert digest_file(str(here / "numbers"))[1] == 588895
        with pytest.raises(InputMissing, match="nothing"):
            bench.session.fetch(identity, ["nothing"], here)
        assert [path.name for path in here.iterdir()] == ["numbers"], "something half was left"
