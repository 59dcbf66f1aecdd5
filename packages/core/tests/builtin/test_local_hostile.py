"""What commands may do to whoever executes them: each has the right outcome, and harms nothing else."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from longshore.model.artifact import Artifact
from longshore.model.attempt import Item, SecretFile
from longshore.model.command import Argv, Shell
from longshore.model.outcome import Cancelled, Exited, FailureClass, Lost
from longshore.remote.digest import digest_bytes, digest_file
from longshore.remote.processes import started_at
from longshore.remote.store import object_path, put_bytes

from .bench import Bench

MEGABYTES = 64


def stored(bench: Bench, artifact: Artifact) -> bytes:
    return Path(object_path(str(bench.store), artifact.sha256)).read_bytes()


def source(bench: Bench, name: str, content: bytes) -> Item:
    """A file of the project, as the stager would give it."""
    path = bench.project / name
    path.write_bytes(content)
    return Item(path=name, sha256=digest_bytes(content), size=len(content), source=str(path))


# --- processes


def test_daemons_that_a_finished_command_leaves_are_ended(bench: Bench) -> None:
    pids = bench.project / "pids"
    text = (
        f"sleep 1000 & echo $! >> {pids}; setsid sh -c 'echo $$ >> {pids}; exec sleep 1000' &"
        f" (env -i setsid sh -c 'echo $$ >> {pids}; exec /bin/sleep 1000' &)"
        f" ; until test $(wc -l < {pids}) = 3; do sleep 0.01; done"
    )

    ended = bench.execute("a", Shell(text))

    assert ended.outcome == Exited(0)
    assert [pid for pid in map(int, pids.read_text().split()) if started_at(pid) is not None] == []


def test_what_hides_and_is_another_tasks_lives_on_until_that_one_ends(bench: Bench) -> None:
    pids = bench.project / "pids"
    hides = (
        f"(env -i setsid sh -c 'echo $$ >> {pids}; exec /bin/sleep 1000' &)"
        f"; until test -s {pids}; do sleep 0.01; done; echo hidden"
    )
    bench.waiting("a", hides)
    bench.log_becomes("hidden\n", "a")

    bench.execute("b", Shell("true"))

    pid = int(pids.read_text())
    assert started_at(pid) is not None
    bench.open_gate()
    assert bench.ended("a").outcome == Exited(0)
    assert started_at(pid) is None


def test_a_command_that_forks_and_goes_away_is_over_when_its_first_process_is(bench: Bench) -> None:
    ended = bench.execute("a", Shell("(sleep 1000; echo never) & exit 3"))

    assert ended.outcome == Exited(3)


def test_a_timeout_ends_what_ignores_being_asked(bench: Bench) -> None:
    ended = bench.execute(
        "a",
        Shell("trap '' TERM; while :; do sleep 1; done"),
        timeout=timedelta(seconds=0.2),
        grace=timedelta(seconds=0.2),
    )

    assert ended.outcome == Exited(-9)
    assert ended.failure is FailureClass.TIMEOUT
    assert "timeout of 0.2 seconds" in ended.evidence


def test_a_command_that_is_killed_says_by_which_signal(bench: Bench) -> None:
    ended = bench.execute("a", Shell("kill -9 $$"))

    assert (ended.outcome, ended.failure) == (Exited(-9), FailureClass.USER_CODE)
    assert ended.evidence == "signal 9 (Killed)"


@pytest.mark.parametrize(
    ("command", "code", "evidence"),
    [
        (
            Argv(("no-such-program", "x")),
            127,
            "no-such-program: not found: this machine does not have it; an environment may bring it",
        ),
        (Argv(("./no-such-program",)), 127, "./no-such-program: not found"),
        (Argv(("/etc/passwd",)), 126, "/etc/passwd: permission denied"),
        (Argv(("/etc",)), 126, "/etc: permission denied"),
    ],
)
def test_what_cannot_be_executed_ends_as_in_a_shell(bench: Bench, command: Argv, code: int, evidence: str) -> None:
    ended = bench.execute("a", command)

    assert (ended.outcome, ended.failure) == (Exited(code), FailureClass.USER_CODE)
    assert ended.evidence == f"exit code {code}\n{evidence}"


def test_an_executable_text_without_a_first_line_is_executed_by_a_shell(bench: Bench) -> None:
    program = bench.project / "program"
    program.write_text("echo $1 > out\n")
    program.chmod(0o755)

    ended = bench.execute("a", Argv((str(program), "it's")), outputs=("out",))

    assert stored(bench, ended.outputs[0]) == b"it's\n"


def test_signals_are_as_a_shell_would_leave_them(bench: Bench) -> None:
    ended = bench.execute("a", Shell("grep -E 'SigIgn|SigBlk' /proc/self/status > out"), outputs=("out",))

    masks = [int(line.split()[1], 16) for line in stored(bench, ended.outputs[0]).splitlines()]
    # The C library keeps two signals for itself, which no shell counts.
    assert [mask & ~(0b11 << 31) for mask in masks] == [0, 0]


def test_nothing_of_ours_or_of_the_controllers_is_open_in_a_command(bench: Bench) -> None:
    inheritable = os.open(os.devnull, os.O_RDONLY)
    os.set_inheritable(inheritable, True)
    ended = bench.execute("a", Shell("ls /proc/self/fd > out"), outputs=("out",))
    os.close(inheritable)

    assert stored(bench, ended.outputs[0]).split() == [b"0", b"1", b"2", b"3"]  # 3 is ls looking


# --- output


def test_a_command_may_print_a_lot(bench: Bench) -> None:
    ended = bench.execute(
        "a", Shell(f"head -c {MEGABYTES << 20} /dev/zero; head -c {MEGABYTES << 20} /dev/zero >&2; exit 1")
    )

    assert ended.outcome == Exited(1)
    assert (bench.logs / "a.1.out").stat().st_size == MEGABYTES << 20
    assert len(ended.evidence) < 4000


def test_the_end_of_stderr_is_evidence_in_whole_lines(bench: Bench) -> None:
    ended = bench.execute("a", Shell("seq 10000 >&2; exit 2"))

    lines = ended.evidence.splitlines()
    assert lines[0] == "exit code 2"
    assert lines[1:] == [str(number) for number in range(9981, 10001)]


def test_a_command_may_close_its_streams(bench: Bench) -> None:
    ended = bench.execute("a", Shell("exec <&- >&- 2>&-; sleep 0.01; exit 4"))

    assert ended.outcome == Exited(4)


# --- the workdir


def test_a_command_may_remove_its_workdir(bench: Bench) -> None:
    first = bench.execute("a", Shell('rm -rf "$PWD"'))
    second = bench.execute("b", Shell("echo fine > out"), outputs=("out",))
    third = bench.execute("c", Shell('rm -rf "$PWD"'), outputs=("out",))

    assert first.outcome == second.outcome == Exited(0)
    assert third.failure is FailureClass.USER_CODE
    assert "removed its workdir" in third.evidence


def test_one_command_leaves_nothing_to_the_next(bench: Bench) -> None:
    bench.open(cpus=1.0)
    bench.execute("a", Shell("echo x > file; mkdir -p deep/er; chmod 500 deep; echo printed"))
    bench.execute("b", Shell("chmod 500 ."))
    ended = bench.execute("c", Shell("ls -A > ../c; stat -c %a . >> ../c"))

    assert ended.outcome == Exited(0)
    assert (bench.folder / "work" / "c").read_text() == "755\n"
    assert not (bench.logs / "c.1.out").exists()


def test_a_failed_attempt_keeps_its_workdir(bench: Bench) -> None:
    ended = bench.execute("a", Shell("echo half > file; exit 1"))

    assert ended.workdir == str(bench.folder / "work" / "a.1")
    assert (Path(ended.workdir) / "file").read_text() == "half\n"
    bench.session.release("r/a/1")
    bench.settled()
    assert Path(ended.workdir).is_dir()


def test_a_workdir_is_kept_when_asked_with_its_outputs_in_it(bench: Bench) -> None:
    ended = bench.execute("a", Shell("echo x > out"), outputs=("out",), keep_workdir=True)

    assert (Path(ended.workdir) / "out").read_text() == "x\n"
    assert stored(bench, ended.outputs[0]) == b"x\n"


def test_the_workdir_of_a_success_is_gone(bench: Bench) -> None:
    ended = bench.execute("a", Shell("echo x > out; mkdir d; ln -s / d/root; chmod 500 d"), outputs=("out",))
    bench.session.close()

    assert ended.workdir == ""
    assert list((bench.folder / "work").iterdir()) == []


# --- outputs


@pytest.mark.parametrize("pattern", ["../out", "/etc/passwd", "a/../../out"])
def test_outputs_outside_the_workdir_are_refused_before_the_command_starts(bench: Bench, pattern: str) -> None:
    ended = bench.execute("a", Argv(("true",)), outputs=(pattern,))

    assert ended.failure is FailureClass.USER_CODE
    assert "leads out of the workdir" in ended.evidence
    assert ended.started_at is None


def test_an_output_that_leads_outside_through_a_link_is_refused(bench: Bench) -> None:
    for task, text in (("a", "ln -s /etc/passwd out"), ("b", "ln -s /etc d")):
        ended = bench.execute(task, Shell(text), outputs=("out",) if task == "a" else ("d/passwd",))

        assert ended.failure is FailureClass.USER_CODE
        assert "through a link" in ended.evidence


def test_an_output_that_was_not_written_fails_the_attempt_and_names_what_is_there(bench: Bench) -> None:
    ended = bench.execute("a", Shell("echo x > other; echo why >&2"), outputs=("other", "model.json"))

    assert (ended.outcome, ended.failure) == (Exited(0), FailureClass.USER_CODE)
    assert ended.evidence == "the output 'model.json' was not written; in the workdir there is other\nwhy"


def test_outputs_of_no_bytes_and_odd_names_are_stored(bench: Bench) -> None:
    name = os.fsdecode(b"\xff odd\nname")
    ended = bench.execute("a", Argv(("touch", name, "empty")), outputs=("*",))

    assert [(a.path, a.size, a.sha256) for a in ended.outputs] == [
        (path, 0, digest_bytes(b"")) for path in sorted(["empty", name], key=os.fsencode)
    ]


def test_a_stored_output_has_no_other_name(bench: Bench) -> None:
    other = bench.project / "other"
    ended = bench.execute("a", Shell(f"echo good > out; ln out {other}"), outputs=("out",))

    other.write_text("bad\n")

    assert stored(bench, ended.outputs[0]) == b"good\n"


def test_an_output_that_is_an_input_too_leaves_the_store_alone(bench: Bench) -> None:
    content = b"good"
    put_bytes(str(bench.store), content, digest_bytes(content))
    item = Item(path="in", sha256=digest_bytes(content), size=4, mode=0o600)

    ended = bench.execute("a", Shell("echo more >> in"), inputs=(item,), outputs=("in",))

    assert stored(bench, ended.outputs[0]) == b"goodmore\n"
    assert Path(object_path(str(bench.store), item.sha256)).read_bytes() == content


# --- inputs


def test_an_input_that_vanishes_during_the_run_fails_before_the_command_starts(bench: Bench) -> None:
    item = source(bench, "in.txt", b"x")
    bench.open(cpus=1.0)
    gate = bench.project / "gate"
    bench.go("first", Shell("until test -e $GATE; do sleep 0.01; done"), env={"GATE": str(gate)})
    bench.go("second", Argv(("true",)), inputs=(item,))
    bench.started("first")
    os.unlink(item.source)
    gate.touch()

    ended = bench.ended("second")

    assert isinstance(ended.outcome, Lost)
    assert ended.failure is FailureClass.STAGING
    assert item.source in ended.evidence
    assert "vanished" in ended.evidence


def test_an_input_that_changed_since_it_was_looked_at_fails_before_the_command_starts(bench: Bench) -> None:
    item = source(bench, "in.txt", b"one")
    Path(item.source).write_bytes(b"two")

    ended = bench.execute("a", Argv(("true",)), inputs=(item,))

    assert ended.failure is FailureClass.STAGING
    assert f"{item.source} has changed" in ended.evidence


def test_a_task_cannot_harm_the_users_file(bench: Bench) -> None:
    item = source(bench, "in.txt", b"mine")

    bench.execute("a", Shell("echo more >> in.txt; chmod 777 in.txt"), inputs=(item,))

    assert Path(item.source).read_bytes() == b"mine"


def test_inputs_of_odd_names_and_modes_arrive(bench: Bench) -> None:
    name = os.fsdecode(b"in/a \xff\n'b'")
    content = os.urandom(3 << 20)
    put_bytes(str(bench.store), content, digest_bytes(content))
    item = Item(path=name, sha256=digest_bytes(content), size=len(content), mode=0o755)

    ended = bench.execute("a", Shell("stat -c %a in/* > mode; cp in/* copy"), inputs=(item,), outputs=("copy", "mode"))

    assert ended.outputs[0].sha256 == item.sha256
    assert stored(bench, ended.outputs[1]) == b"755\n"


# --- secrets


def test_a_secret_is_for_the_command_alone(bench: Bench) -> None:
    secret = SecretFile(path="keys/licence.lic", content=b"s3cr3t-content")
    ended = bench.execute(
        "a",
        Shell("stat -c %a keys/licence.lic > mode; sha256sum < keys/licence.lic > sum; echo $TOKEN | sha256sum >> sum"),
        secrets=(secret,),
        private_env={"TOKEN": "s3cr3t-variable"},
        outputs=("mode", "sum"),
        keep_workdir=True,
    )

    assert stored(bench, ended.outputs[0]) == b"600\n"
    assert digest_bytes(secret.content).encode() in stored(bench, ended.outputs[1])
    assert digest_bytes(b"s3cr3t-variable\n").encode() in stored(bench, ended.outputs[1])
    assert not (Path(ended.workdir) / "keys" / "licence.lic").exists()
    everything = [path for path in bench.project.parent.rglob("*") if path.is_file()]
    assert [path for path in everything if b"s3cr3t" in path.read_bytes()] == []


def test_a_secret_goes_when_the_command_fails_is_cancelled_or_loses_its_supervisor(bench: Bench) -> None:
    fields: dict[str, Any] = {"secrets": (SecretFile(path="key", content=b"s3cr3t"),)}
    failed = bench.execute("failed", Shell("test -s key; exit 1"), **fields)
    bench.go("lost", Shell("sleep 1000"), **fields)
    bench.started("lost")
    child = next(line["pid"] for line in bench.records() if line["event"] == "pid" and line["id"] == "r/lost/1")
    bench.kill_supervisor()
    os.kill(child, 9)
    lost = bench.ended("lost")
    bench.session.cancel(bench.go("cancelled", Shell("sleep 1000"), **fields))

    assert bench.ended("cancelled").outcome == Cancelled()
    assert isinstance(lost.outcome, Lost)
    assert os.listdir(failed.workdir) == os.listdir(lost.workdir) == []


def test_an_output_glob_does_not_take_a_secret(bench: Bench) -> None:
    secret = SecretFile(path="key", content=b"s3cr3t")

    ended = bench.execute("a", Shell("echo x > out"), secrets=(secret,), outputs=("*",))

    assert [artifact.path for artifact in ended.outputs] == ["out"]


# --- the environment


def test_the_environment_is_clean_and_says_who_it_is(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of the controller")
    ended = bench.execute("a", Shell("env | cut -d= -f1 | sort > out"), env={"year": "2001"}, outputs=("out",))

    names = set(stored(bench, ended.outputs[0]).decode().split())
    assert {"PATH", "HOME", "year", "LONGSHORE_ID", "OMP_NUM_THREADS"} <= names
    assert "AWS_SECRET_ACCESS_KEY" not in names


def test_hostile_values_reach_the_command_as_they_are(bench: Bench) -> None:
    value = os.fsdecode(b"a'b\"c $(exit 1) `x` \\ \n \xff")
    ended = bench.execute(
        "a", Shell('printf %s "$value" > out; printf %s "$0" > zero'), env={"value": value}, outputs=("out",)
    )

    assert stored(bench, ended.outputs[0]) == os.fsencode(value)
    ended = bench.execute("b", Argv(("sh", "-c", 'printf %s "$1" > out', "sh", value)), outputs=("out",))
    assert stored(bench, ended.outputs[0]) == os.fsencode(value)


def test_big_files_are_stored_while_others_go_on(bench: Bench, tmp_path: Path) -> None:
    bench.go("big", Argv(("truncate", "-s", "1G", "big")), outputs=("big",))
    for number in range(50):
        bench.go(f"small{number}", Argv(("true",)))
    for number in range(50):
        bench.ended(f"small{number}")

    big = bench.ended("big").outputs[0]
    assert big.size == 1 << 30
    assert digest_file(object_path(str(bench.store), big.sha256)) == (big.sha256, 1 << 30)


@pytest.mark.parametrize("outputs", [(), ("file",)])
def test_a_workdir_that_was_replaced_by_a_link_harms_nothing_behind_it(bench: Bench, outputs: tuple[str, ...]) -> None:
    (bench.project / "folder").mkdir()
    (bench.project / "folder" / "file").touch()
    text = f'dir=$PWD; cd /; rmdir "$dir"; ln -s {bench.project}/folder "$dir"'
    ended = bench.execute("a", Shell(text), outputs=outputs)
    after = bench.execute("b", Shell("pwd"))
    bench.session.close()

    assert ended.failure is (FailureClass.USER_CODE if outputs else None)
    assert "through a link" in ended.evidence or not outputs
    assert after.outcome == Exited(0)
    assert (bench.project / "folder" / "file").exists()
