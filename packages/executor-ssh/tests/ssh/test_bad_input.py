"""Hosts that are not as they should be: each has its own clear message, or just works."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from longshore.errors import DiskFull, ExecutorError, LongshoreError, MachineUnreachable
from longshore.model.attempt import Item
from longshore.model.command import Argv, Shell
from longshore.model.outcome import Exited
from longshore.remote.digest import digest_bytes
from longshore_ssh.config import HostConfig
from longshore_ssh.errors import LoginRefused, NotTheHost
from longshore_ssh.hosts import probe
from longshore_ssh.targets import target_of
from longshore_ssh.testing import SECONDS, Lab, Sshd, free_port, make_key

from .test_contract import Bench, config

Open = Callable[..., Bench]
FAKED = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))


@pytest.fixture
def bench_for(lab: Lab, tmp_path: Path) -> Open:
    """Make benches on hosts of the test's own."""

    def make(host: Sshd, **options: object) -> Bench:
        return Bench(tmp_path, lab, host, **options)

    return make


def refusal(bench: Bench, kind: type[LongshoreError]) -> str:
    """Give what a link that cannot be made is told by; it is one clear text of one class."""
    with pytest.raises(LongshoreError) as caught:
        bench.open()
    assert type(caught.value) is kind
    return str(caught.value)


def works(bench: Bench) -> None:
    assert bench.output("echo here") == "here\n"
    bench.close()


# --- who does not answer


def test_a_name_without_an_address_is_no_host(lab: Lab, bench_for: Open) -> None:
    host = lab.host()
    host.address, host.port = "no-such-host.invalid", 22

    assert "is no host that is known" in refusal(bench_for(host), ExecutorError)


def test_a_port_where_nobody_listens_is_named(lab: Lab, bench_for: Open) -> None:
    host = lab.host()
    host.port = free_port(host.address)

    assert f"refuses connections on port {host.port}" in refusal(bench_for(host), MachineUnreachable)


# --- who is not who he should be


def test_an_unknown_host_is_shown_with_the_command_that_accepts_it(lab: Lab, bench_for: Open) -> None:
    host = lab.host()
    lab.known_hosts.write_text("")
    bench = bench_for(host)

    told = refusal(bench, NotTheHost)

    shown = subprocess.run(
        ["ssh-keygen", "-lf", f"{host.host_key}.pub"], capture_output=True, text=True, check=True, timeout=SECONDS
    ).stdout.split()[1]
    assert shown in told
    assert not host.cache.exists(), "something was sent"
    [command] = re.findall(r"^    (echo .*)$", told, re.MULTILINE)
    subprocess.run(["sh", "-c", command], check=True, timeout=SECONDS)
    works(bench)


def test_a_changed_host_key_stops_loudly_until_the_old_one_is_forgotten(lab: Lab, bench_for: Open) -> None:
    host = lab.host()
    other = " ".join(Path(f"{make_key(lab.folder / 'other')}.pub").read_text().split()[:2])
    lab.known_hosts.write_text(f"[{host.address}]:{host.port} {other}\n")
    bench = bench_for(host)

    told = refusal(bench, NotTheHost)

    assert told.startswith("THE HOST KEY OF")
    assert not host.cache.exists(), "something was sent"
    [command] = re.findall(r"^    (ssh-keygen .*)$", told, re.MULTILINE)
    subprocess.run(["sh", "-c", command], check=True, capture_output=True, timeout=SECONDS)
    assert "is not known" in refusal(bench, NotTheHost)


# --- who lets nobody in


def test_a_key_that_the_host_does_not_know_is_named(lab: Lab, bench_for: Open) -> None:
    stranger = make_key(lab.folder / "ours" / "stranger")

    told = refusal(bench_for(lab.host(), identity_file=str(stranger)), LoginRefused)

    assert f"refuses the login of {lab.user}: ssh-ed25519 from {stranger}" in told


def test_a_key_that_is_not_there_is_named(lab: Lab, bench_for: Open) -> None:
    told = refusal(bench_for(lab.host(), identity_file="/nowhere/key"), LoginRefused)

    assert "the private key /nowhere/key does not exist" in told


def test_what_is_no_key_is_called_so(lab: Lab, bench_for: Open) -> None:
    nonsense = lab.folder / "ours" / "nonsense"
    nonsense.write_text("not a key\n")

    assert "is no private key" in refusal(bench_for(lab.host(), identity_file=str(nonsense)), LoginRefused)


KINDS = {
    "ed25519": ("ed25519",),
    "ecdsa": ("ecdsa",),
    "rsa": ("rsa",),
    "rsa in PEM": ("rsa", "-m", "PEM", "-b", "2048"),
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_passphrase_comes_from_the_variable_that_the_config_names(
    lab: Lab, bench_for: Open, monkeypatch: pytest.MonkeyPatch, kind: tuple[str, ...]
) -> None:
    key, *options = kind
    path = make_key(lab.folder / "ours" / "secret", key, "open sesame", *options)
    with Path(f"{lab.key}.pub").open("a") as file:
        file.write(Path(f"{path}.pub").read_text())
    bench = bench_for(lab.host(), identity_file=str(path), passphrase_env="TEST_PASSPHRASE")

    monkeypatch.delenv("TEST_PASSPHRASE", raising=False)
    assert "has no variable TEST_PASSPHRASE" in refusal(bench, LoginRefused)
    monkeypatch.setenv("TEST_PASSPHRASE", "wrong")
    told = refusal(bench, LoginRefused)
    assert "the passphrase in TEST_PASSPHRASE is wrong" in told
    assert "wrong for the private key" in told
    monkeypatch.setenv("TEST_PASSPHRASE", "open sesame")
    works(bench)


def test_without_a_terminal_nobody_is_asked_for_a_passphrase(lab: Lab, bench_for: Open) -> None:
    path = make_key(lab.folder / "ours" / "secret", passphrase="open sesame")

    told = refusal(bench_for(lab.host(), identity_file=str(path)), LoginRefused)

    assert "needs its passphrase, and there is no terminal to ask at" in told


def test_a_password_is_used_only_where_the_config_says_so(
    lab: Lab, bench_for: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = lab.host("PubkeyAuthentication no", "PasswordAuthentication yes")
    assert 'for passwords write auth = "password"' in refusal(bench_for(host), LoginRefused)

    monkeypatch.setenv("TEST_PASSWORD", "never right")
    told = refusal(bench_for(host, auth="password", password_env="TEST_PASSWORD"), LoginRefused)

    assert f"refuses the password of {lab.user}" in told
    assert "never right" not in told


# --- who executes nothing, or has no room


def test_a_forced_command_is_told_with_what_it_says(lab: Lab, bench_for: Open) -> None:
    told = refusal(bench_for(lab.host("ForceCommand echo 'git only \x1b[31m'")), ExecutorError)

    assert "executes no commands by sh; it says: git only" in told
    assert "\x1b" not in told


def test_a_folder_that_cannot_be_made_is_named(lab: Lab, bench_for: Open) -> None:
    host = lab.host()
    host.home.chmod(0o555)
    if not os.getuid():
        os.chown(host.home, 0, 0)

    told = refusal(bench_for(host), ExecutorError)

    assert f"we cannot have a folder there: {host.home}/.cache" in told


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_is_a_class_of_its_own(lab: Lab, bench_for: Open, tmp_path: Path) -> None:
    host = lab.host()
    options = f"size=2m,mode=700,uid={host.home.stat().st_uid}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(host.home)], check=True, timeout=SECONDS)
    try:
        bench = bench_for(host)
        big = bench.project / "big"
        big.write_bytes(b"x" * (8 << 20))
        item = Item(path="big", sha256=digest_bytes(big.read_bytes()), size=8 << 20, source=str(big))

        with pytest.raises(DiskFull):
            bench.go("a", Shell("cat big"), inputs=(item,))

        assert not list(host.cache.glob("runs/*/store/tmp/*")), "what does not fit is left there"
        works(bench)
    finally:
        host.stop()
        for pid in set(host.supervisors()):
            subprocess.run(["kill", "-9", str(pid)], check=False, capture_output=True, timeout=SECONDS)
        subprocess.run(["umount", "-l", str(host.home)], check=True, timeout=SECONDS)


def test_a_host_without_a_shell_is_told_so(lab: Lab, bench_for: Open, tmp_path: Path) -> None:
    nothing = lab.folder / "nothing"
    nothing.mkdir(mode=0o755)

    told = refusal(bench_for(lab.host(path=nothing)), ExecutorError)

    assert "executes no commands by sh; it says:" in told


# --- what just works


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a file system")
def test_a_home_from_which_nothing_may_be_executed_is_enough(lab: Lab, bench_for: Open) -> None:
    host = lab.host()
    options = f"noexec,size=64m,mode=700,uid={host.home.stat().st_uid}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(host.home)], check=True, timeout=SECONDS)
    try:
        bench = bench_for(host)
        assert bench.output("echo here; cd $HOME") == "here\n"
        assert bench.execute("program", Argv(("ls", "-a"))).outcome == Exited(0)
        bench.close()
        host.wait_idle()
    finally:
        host.stop()
        subprocess.run(["umount", "-l", str(host.home)], check=True, timeout=SECONDS)


@pytest.mark.skipif(not FAKED, reason="libfaketime is not installed")
@pytest.mark.parametrize("bare", [False, True], ids=["with Python", "without"])
def test_a_clock_that_is_off_by_years_changes_nothing(lab: Lab, bench_for: Open, no_python: Path, bare: bool) -> None:
    faked = f"LD_PRELOAD={FAKED[0]} FAKETIME=-9y FAKETIME_DONT_FAKE_MONOTONIC=1" if FAKED else ""
    host = lab.host(
        f'ForceCommand export {faked}; exec sh -c "$SSH_ORIGINAL_COMMAND"', path=no_python if bare else None
    )
    bench = bench_for(host)

    ended = bench.execute("a", Shell("echo done > out"), outputs=("out",), timeout=timedelta(minutes=5))
    bench.session.get(ended.outputs)

    assert ended.outcome == Exited(0), ended.evidence
    assert ended.started_at is not None
    assert ended.started_at.year < datetime.now(UTC).year - 7
    assert ended.ended_at is not None
    assert timedelta(0) <= ended.ended_at - ended.started_at < timedelta(minutes=1)
    bench.close()


def test_noise_before_and_around_is_no_trouble(lab: Lab, bench_for: Open) -> None:
    noise = "printf 'Welcome!\\nlongshore:{\\nno line end'; printf 'more' >&2"
    banner = lab.folder / "banner"
    banner.write_text("Authorized use only\n" * 50)
    host = lab.host(f'ForceCommand {noise}; exec sh -c "$SSH_ORIGINAL_COMMAND"', f"Banner {banner}")

    works(bench_for(host))


def test_a_host_that_allows_one_session_is_enough(lab: Lab, bench_for: Open) -> None:
    bench = bench_for(lab.host("MaxSessions 1"))
    (bench.project / "in").write_text("hello\n")
    item = Item(path="in", sha256=digest_bytes(b"hello\n"), size=6, source=str(bench.project / "in"))

    ended = bench.execute("a", Shell("cat in > out"), inputs=(item,), outputs=("out",))
    bench.session.get(ended.outputs)

    assert bench.store.joinpath("objects", item.sha256[:2], item.sha256).read_bytes() == b"hello\n"
    bench.close()


def test_names_that_are_not_ascii_are_names_like_others(lab: Lab, bench_for: Open) -> None:
    name = "größe '\"$(touch x)\n\udcff.txt"
    bench = bench_for(lab.host(), folder="~/ünï cödé '$(x)'")
    (bench.project / "in").write_text("hello\n")
    item = Item(path=f"in/{name}", sha256=digest_bytes(b"hello\n"), size=6, source=str(bench.project / "in"))

    ended = bench.execute("a", Shell("cat in/* > out; ls in | wc -l"), inputs=(item,), outputs=("out",))

    assert ended.outcome == Exited(0), ended.evidence
    assert [each.sha256 for each in ended.outputs] == [item.sha256]
    bench.close()


def test_a_command_of_a_megabyte_arrives_as_it_is(lab: Lab, bench_for: Open) -> None:
    bench = bench_for(lab.host())
    text = "x='" + 'a"$`\\ \n' * 150_000 + '\'\nprintf %s "$x" | sha256sum | cut -c1-64'

    ended = bench.execute("a", Shell(text))

    assert ended.outcome == Exited(0), ended.evidence
    assert bench.log("a").strip() == digest_bytes(b'a"$`\\ \n' * 150_000)
    bench.close()


def test_a_host_without_python_says_what_it_has(lab: Lab, no_python: Path) -> None:
    host = lab.host(path=no_python)

    facts = probe(target_of(HostConfig(host=host.name), config(lab)), config(lab))

    assert facts["cpus"] >= 1
    assert facts["memory"] > 1 << 20


def test_a_host_with_python_says_what_it_has(lab: Lab) -> None:
    facts = probe(target_of(HostConfig(host=lab.host().name), config(lab)), config(lab))

    assert {"cpus", "memory", "gpus", "disk", "arch", "os", "python", "tools"} <= facts.keys()
    assert "sh" in facts["tools"]
