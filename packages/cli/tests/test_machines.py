"""`longshore machines`, `gc`, `offers` and `images`, as they are typed, on a cloud in another process."""

from __future__ import annotations

import re
import shutil
import signal
from pathlib import Path

import pytest

from longshore_sandbox import CloudClient

from .fleets import alive, another_computer, cloud_of, on_a_cloud, sides, until
from .harness import SECONDS, Project

COLUMNS = "NAME ID PROVIDER REGION TYPE STATE ADDRESS AGE PRICE ENDS RUN PROJECT".split()


@pytest.fixture
def rented(project: Project) -> Project:
    """A project that rents from a sandbox."""
    return on_a_cloud(project)


def ids(project: Project) -> dict[str, str]:
    return {row["name"]: row["id"] for row in project.call("machines", "list", "--json").json["machines"]}


def test_machines_are_rented_listed_ended_and_nothing_is_left(rented: Project) -> None:
    up = rented.call("machines", "up", "cloud", "--count", "2", "--name", "fit", "--yes", "--json").json["machines"]
    assert [row["name"] for row in up] == ["fit-1", "fit-2"]
    assert {row["id"] for row in up} == alive(rented)
    assert {(row["whose"], row["phase"], row["run"], row["price"]["per_hour"]) for row in up} == {
        ("ours", "ready", "", "0.10")
    }
    shown = rented.call("machines").out.splitlines()
    assert shown[0].split() == COLUMNS
    assert [line.split()[0] for line in shown[1:]] == ["fit-1", "fit-2"]
    assert "0.10 USD/h" in shown[1]
    resources = rented.call("machines", "list", "--all-resources", "--json").json["resources"]
    assert [(row["kind"], row["whose"]) for row in resources] == [("key", "ours")]

    done = rented.call("machines", "down", "fit-2").out
    assert done == f"ended fit-2 (sandbox/{up[1]['id']})\n"
    assert alive(rented) == {up[0]["id"]}

    rented.call("machines", "down", up[0]["id"])
    early = rented.call("gc", code=None)
    # On a computer that is slow now, the cloud's lists may prove it already.
    assert (early.code, "2 leases to be proven over" in early.err) in {(1, True), (0, False)}
    late = rented.call("gc", "--wait", "--json").json
    assert late["clean"]
    assert (alive(rented), sides(rented)) == (set(), 0)
    assert rented.call("gc").out == ""


def test_a_machine_is_stopped_and_started(rented: Project) -> None:
    rented.call("machines", "up", "cloud", "--yes", "--name", "fit")
    rented.call("machines", "stop", "fit")
    assert re.search(r"\bstopped\b", rented.call("machines", "list", "--name", "fit").out)
    rented.call("machines", "start", "--pool", "cloud")
    assert re.search(r"\brunning\b", rented.call("machines", "list").out)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["up", "clout", "--yes"], "did you mean cloud"),
        (["up", "cloud"], "say --yes, or --max-cost"),
        (["up", "cloud", "--yes", "--name", "a b"], "no good label"),
        (["up", "cloud", "--yes", "--for", "2"], "has no unit"),
        (["down", "nothing"], "there is no machine 'nothing'"),
        (["down"], "name machines, or a pool"),
        (["list", "--provider", "nowhere"], "nowhere could not be asked"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(rented: Project, words: list[str], said: str) -> None:
    answer = rented.call("machines", *words, code=None)
    assert answer.code in {1, 2}
    assert said in answer.err
    assert "Traceback" not in answer.err
    assert alive(rented) == set()


def test_a_max_cost_that_does_not_suffice_rents_nothing(rented: Project) -> None:
    answer = rented.call("machines", "up", "cloud", "--max-cost", "0.01 USD", code=1)
    assert "raise max_cost" in answer.err
    assert alive(rented) == set()


@pytest.mark.parametrize(("answer", "count"), [("n\n", 0), ("y\n", 1)])
def test_it_asks_with_an_estimate_before_it_rents(rented: Project, answer: str, count: int) -> None:
    terminal = rented.terminal("machines", "up", "cloud", "--for", "2 h", columns=200)
    terminal.until(r"Rent 1 machine \(small in north-a, sandbox\) until [^,]+, at most 0\.20 USD\? \[y/N\]")
    terminal.type(answer)
    code, _ = terminal.end()
    assert (code == 0) == bool(count)
    assert len(alive(rented)) == count


def test_a_provider_that_cannot_be_loaded_is_told_and_the_others_go_on(rented: Project) -> None:
    rented.call("machines", "up", "cloud", "--yes")
    with (rented.folder / "longshore.toml").open("a") as file:
        file.write('\n[providers.gone]\nplugin = "nowhere"\n')
    for words in (["machines"], ["gc"], ["offers"], ["images"]):
        answer = rented.call(*words, code=1)
        assert "gone could not be asked: no provider 'nowhere' is installed" in answer.err
    assert "cloud-1" in rented.call("machines", code=1).out
    rented.call("machines", "down", "cloud-1")
    assert alive(rented) == set()


def test_two_computers_on_one_account_leave_each_others_machines_alone(rented: Project) -> None:
    other = another_computer(rented, "desktop")
    rented.call("machines", "up", "cloud", "--yes", "--name", "mine")
    other.call("machines", "up", "cloud", "--yes", "--name", "theirs")

    cleaned = rented.call("gc")
    assert "theirs" in cleaned.out
    assert "They are of another ledger" in cleaned.err
    assert "running, foreign" in rented.call("machines", "list", "--name", "theirs").out
    assert "--foreign" in rented.call("machines", "down", "theirs", code=2).err
    assert "say --yes if not" in rented.call("gc", "--foreign", code=2).err
    assert len(alive(rented)) == 2

    rented.call("machines", "down", "--pool", "cloud")
    assert alive(rented) == {ids(other)["theirs"]}


def test_a_lost_state_folder_loses_no_machine(rented: Project) -> None:
    rented.call("machines", "up", "cloud", "--yes", "--count", "2")
    shutil.rmtree(Path(rented.env["XDG_STATE_HOME"]) / "longshore")

    found = rented.call("gc", "--json").json
    assert {row["id"] for row in found["foreign"]} == alive(rented)
    rented.call("gc", "--foreign", "--yes")
    assert alive(rented) == set()
    rented.call("gc", "--foreign", "--yes")
    assert sides(rented) == 0


@pytest.mark.parametrize("made", [0, 1, 2, 3])
def test_gc_after_a_kill_while_machines_are_rented_leaves_nothing(rented: Project, made: int) -> None:
    cloud = cloud_of(rented)
    assert cloud.living() == []  # it is up
    renting = rented.begin("machines", "up", "cloud", "--yes", "--count", "3")
    until(lambda: len(cloud.living()) >= made and asked_for_offers(cloud), f"machine {made}")
    renting.send_signal(signal.SIGKILL)
    renting.communicate(timeout=SECONDS)

    assert rented.call("gc", "--wait", "--json").json["clean"]
    assert (alive(rented), sides(rented)) == (set(), 0)


def asked_for_offers(cloud: CloudClient) -> bool:
    return any(request.action == "offers" for request in cloud.requests)


def test_interrupted_renting_ends_what_it_has_begun(rented: Project) -> None:
    cloud = cloud_of(rented)
    cloud.living()
    renting = rented.begin("machines", "up", "cloud", "--yes", "--count", "60")
    until(lambda: len(cloud.living()) >= 2, "the second machine")
    renting.send_signal(signal.SIGINT)
    renting.communicate(timeout=SECONDS)
    assert renting.returncode == 130
    rented.call("gc", "--wait")
    assert (alive(rented), sides(rented)) == (set(), 0)


def test_offers_come_cheapest_first_and_unknown_prices_are_shown_so(rented: Project) -> None:
    lines = rented.call("offers").out.splitlines()
    assert lines[0].split() == ["PROVIDER", "TYPE", "WHERE", "CPUS", "MEMORY", "GPUS", "ARCH", "SPOT", "PRICE"]
    assert [line.split()[1] for line in lines[1:]] == ["small", "small", "large", "odd"]
    assert lines[-1].endswith(" ?")
    assert [row["type"] for row in rented.call("offers", "--cpus", "8", "--json").json["offers"]] == ["large", "odd"]
    assert [row["spot"] for row in rented.call("offers", "--spot", "--json").json["offers"]] == [True]
    assert "Nobody offers that." in rented.call("offers", "--memory", "1 TiB").err
    assert "is no size" in rented.call("offers", "--memory", "much", code=2).err


def test_an_image_is_made_listed_and_deleted(rented: Project) -> None:
    rented.call("machines", "up", "cloud", "--yes", "--name", "fit")
    made = rented.call("images", "make", "fit", "with-gdal").out.strip()
    assert rented.call("images", "make", "fit", "with-gdal").out.strip() == made
    assert [row["id"] for row in rented.call("images", "list", "--json").json["images"]] == [made]
    assert "there is no image" in rented.call("images", "rm", "other", code=2).err
    rented.call("images", "rm", made)
    assert "No images." in rented.call("images").err
    assert len(alive(rented)) == 1


def test_every_document_is_one_also_when_it_fails(rented: Project) -> None:
    for words in (["machines", "down", "nothing"], ["images", "rm", "nothing"], ["gc", "--provider", "nowhere"]):
        answer = rented.call(*words, "--json", code=None)
        assert answer.code
        assert isinstance(answer.json, dict)


def test_a_run_uses_the_machines_that_were_rented_by_hand_and_leaves_them(rented: Project) -> None:
    rented.call("machines", "up", "cloud", "--yes", "--name", "warm")
    [machine] = alive(rented)
    rented.call("run", "--yes")
    assert rented.state() == "succeeded"
    assert alive(rented) == {machine}
    assert {each.id for each in cloud_of(rented).machines.values()} == {machine}
    rented.call("machines", "down", "warm")
    assert alive(rented) == set()


def test_status_and_doctor_say_what_may_cost_money(rented: Project) -> None:
    assert "none is rented" in rented.call("doctor").out
    rented.write((rented.folder / "longshore.toml").read_text().replace('"true"', '"touch ../up; sleep 60"'))
    rented.call("machines", "up", "cloud", "--yes", "--name", "warm")
    assert "1 machine may cost money" in rented.call("doctor").out
    running = rented.begin("run", "--yes")
    until(lambda: any(lease["phase"] == "ready" for lease in leases_of(rented)), "a machine of the run")
    running.kill()
    running.communicate(timeout=SECONDS)
    assert "1 machine may cost money: `longshore machines list`" in rented.call("status").out
    rented.call("machines", "down", "warm")
    assert "1 machine may cost money, 1 of them is ending" in rented.call("doctor").out
    rented.call("gc", "--wait")
    assert "may cost money" not in rented.call("status").out


def leases_of(project: Project) -> list[dict[str, str]]:
    answer = project.call("status", "--json", code=None)
    return list(answer.json.get("leases", [])) if answer.code == 0 else []


def test_a_command_is_run_on_a_machine_of_a_pool_with_its_output_and_exit_code(rented: Project) -> None:
    rented.call("machines", "up", "cloud", "--yes", "--name", "warm")
    [machine] = alive(rented)
    words = ["sh", "-c", 'echo "$1"; echo err >&2; exit 7', "-", "it's $HOME"]
    answer = rented.call("exec", "--yes", "cloud", "--", *words, code=7)
    assert (answer.out, answer.err) == ("it's $HOME\n", "err\n")
    assert alive(rented) == {machine}
    assert rented.call("runs", "--json").json["runs"] == []
    assert list((rented.folder / ".longshore" / "exec" / ".longshore" / "runs").iterdir()) == []


def test_a_command_here_needs_no_workflow(project: Project) -> None:
    assert project.call("exec", "local", "--", "printf", "%s", "a b").out == "a b"
    assert project.call("exec", "local", "--", "false", code=1).err == ""
    assert "did you mean local" in project.call("exec", "locl", "--", "true", code=2).err
    assert "no-such-program" in project.call("exec", "local", "--", "no-such-program", code=None).err
