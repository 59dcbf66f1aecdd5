"""What a user supplies reaches a command byte by byte, and nothing of it is ever evaluated by the shim's shell."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from longshore.model.attempt import Item, SecretFile
from longshore.model.command import Argv, Shell
from longshore.model.outcome import Exited, FailureClass
from longshore.remote.digest import digest_folder
from longshore.remote.shim_session import shim_program
from longshore.remote.words import PIECE_BYTES, encode

from .bench import SHELLS, Bench

_NASTY = [
    "",
    " ",
    "\n",
    "a\n",
    "'",
    '"',
    "$(touch /tmp/evil)",
    "`id`",
    "\\",
    "\\0101",
    "%s%n",
    "*",
    "-n",
    "é",
    "\udcff",
    "=",
    "a b\tc",
]

texts = st.one_of(
    st.sampled_from(_NASTY),
    st.binary(max_size=60).map(lambda raw: os.fsdecode(raw.replace(b"\0", b"."))),
)


@pytest.fixture(scope="module", params=SHELLS, ids=lambda shell: str(shell.name))
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """One run for many examples."""
    bench = Bench(tmp_path_factory.mktemp("hostile"), request.param)
    yield bench
    bench.close()


def printed(bench: Bench, task: str) -> bytes:
    return (bench.logs / f"{task}.1.out").read_bytes()


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    derandomize=True,
)
@given(args=st.lists(texts, max_size=5), value=texts)
def test_arguments_and_variables_arrive_as_they_are(bench: Bench, args: list[str], value: str) -> None:
    task = f"t{len(bench.told)}"
    command = Argv(("sh", "-c", 'printf "%s\\0" "$VALUE" "$@"', "sh", *args))

    ended = bench.execute(task, command, env={"VALUE": value}, private_env={"odd.name": value})

    assert ended.outcome == Exited(0), ended.evidence
    assert printed(bench, task) == b"".join(os.fsencode(text) + b"\0" for text in (value, *args))


def test_variables_may_be_called_like_those_of_the_shim(bench: Bench) -> None:
    names = {found.decode() for found in re.findall(rb"\b([a-z_]+)=", shim_program())}
    assert {"workdir", "setsid", "slot"} <= names
    ours = {name: f"a-{name}" for name in sorted(names)}

    ended = bench.execute("named", Argv(("env", "-0")), env=ours)

    assert ended.outcome == Exited(0), ended.evidence
    shown = dict(line.split(b"=", 1) for line in printed(bench, "named").split(b"\0") if line)
    assert {name: shown.get(name.encode(), b"").decode() for name in ours} == ours


@given(text=st.binary(max_size=3000))
def test_words_fit_into_pieces_that_a_pipe_takes_whole(text: bytes) -> None:
    argument = os.fsdecode(text.replace(b"\0", b"."))

    lines = encode({"op": "go", "id": "r/a/1", "argv": [argument]}).splitlines(keepends=True)

    assert max(map(len, lines)) <= PIECE_BYTES + 2
    assert [line[:1] for line in lines] == [b"+"] * (len(lines) - 1) + [b"="]


def test_a_script_and_a_long_argument_arrive_whole(bench: Bench) -> None:
    script = "printf '%s\\n' \"$(cat <<'E'\n" + "é'\"$(x)\\\n" * 500 + 'E\n)"'
    assert bench.execute("script", Shell(script)).outcome == Exited(0)
    assert printed(bench, "script").decode() == "é'\"$(x)\\\n" * 500

    long = "x y\n" * 20_000
    assert bench.execute("long", Argv(("printf", "%s", long))).outcome == Exited(0)
    assert printed(bench, "long").decode() == long


def test_a_program_whose_name_has_an_equals_sign_is_executed(bench: Bench) -> None:
    bench.execute("make", Shell(f"mkdir -p {bench.scratch}; printf '#!/bin/sh\necho hi\n' > {bench.scratch}/a=b"))
    bench.execute("chmod", Shell(f"chmod 755 {bench.scratch}/a=b"))

    assert bench.execute("run", Argv((f"{bench.scratch}/a=b",))).outcome == Exited(0)
    assert printed(bench, "run") == b"hi\n"


def test_secrets_are_files_for_the_owner_alone_and_go_with_the_attempt(bench: Bench) -> None:
    content = bytes(range(256)) * 20
    secret = SecretFile(path="keys/a b", content=content)

    ended = bench.execute(
        "secret", Shell("stat -c %a 'keys/a b'; base64 'keys/a b' | tr -d '\\n'; exit 3"), secrets=(secret,)
    )

    assert ended.outcome == Exited(3)
    mode, told = printed(bench, "secret").split(b"\n")
    assert (mode, base64.b64decode(told)) == (b"600", content)
    assert not (Path(ended.workdir) / "keys" / "a b").exists()
    leaks = [path for path in bench.there.rglob("*") if path.is_file() and b"AAECAwQFBgc" in path.read_bytes()]
    assert [path for path in leaks if path.parent.name != "logs"] == []


def test_folders_have_the_same_identity_as_everywhere_whatever_their_names(bench: Bench, tmp_path: Path) -> None:
    source = tmp_path / "tree"
    (source / "empty").mkdir(parents=True)
    for number, name in enumerate(
        [b"plain", b"a b", b"new\nline", b"back\\slash", b"\xff\xfe", b"100%", b".hidden", b"'q\"$(x)"]
    ):
        path = os.path.join(os.fsencode(source), name)
        Path(os.fsdecode(path)).write_bytes(b"%d" % number)
    (source / "plain").chmod(0o750)
    (source / "link").symlink_to("a b")
    (source / "odd link").symlink_to("nowhere\n%")
    folder = digest_folder(str(source))
    item = Item(path="in tree", sha256=folder.sha256, size=folder.size, mode=0o755, kind="folder", source=str(source))

    ended = bench.execute("tree", Shell("cp -a 'in tree' 'out tree'"), inputs=(item,), outputs=("out tree",))

    assert ended.outcome == Exited(0), ended.evidence
    assert [(each.path, each.sha256, each.size) for each in ended.outputs] == [("out tree", folder.sha256, folder.size)]


@pytest.mark.parametrize("path", ["../out", "/tmp/out", "a/../../out"])
def test_paths_that_lead_out_of_the_workdir_are_refused(bench: Bench, path: str) -> None:
    secret = SecretFile(path=path, content=b"x")

    ended = bench.execute(f"out{len(bench.told)}", Argv(("true",)), secrets=(secret,))

    assert ended.failure is FailureClass.STAGING
    assert "leads out of the workdir" in ended.evidence


def test_a_timeout_ends_the_attempt(bench: Bench) -> None:
    command = Shell("trap '' TERM; while :; do sleep 0.1; done")

    ended = bench.execute("slow", command, timeout=timedelta(seconds=0.3), grace=timedelta(seconds=0.2))

    assert ended.failure is FailureClass.TIMEOUT
