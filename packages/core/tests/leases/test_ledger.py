"""The ledger: what was written stays, nobody else reads it, and budgets hold for all processes together."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from attrs import evolve

from longshore.errors import BudgetExceeded, LedgerError, UsageError
from longshore.model.budget import Account, Budget
from longshore.model.lease import Evidence, Lease, LeasePhase, Proof
from longshore.model.machine_spec import SideResource
from longshore.model.offer import Offer
from longshore.runtime.ledger import Ledger
from longshore.runtime.ledger_file import default_path

from .things import HOUR, MINUTE, NOW, lease, offer, price, spec, usd

PROCESS_SECONDS = 120.0
KEY = SideResource(id="key-1", kind="key", region="north")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    with Ledger.open(path) as opened:
        yield opened


def new(ledger: Ledger, name: str = "a", chosen: Offer | None = None) -> Lease:
    return lease(name, of=spec(chosen, ledger=ledger.id))


def launched(ledger: Ledger, name: str = "a", *budgets: Budget) -> Lease:
    ledger.intend(new(ledger, name), budgets=budgets)
    ledger.request(name, at=NOW)
    return ledger.confirm(name, f"m-{name}", at=NOW)[0]


def gone(ledger: Ledger, name: str, *, after: timedelta) -> Lease:
    ledger.missed(name, at=NOW + after)
    ledger.missed(name, at=NOW + after + MINUTE)
    evidence = Evidence(proof=Proof.NOT_LISTED, text="not in two lists", at=NOW + after + MINUTE)
    return ledger.absent(name, evidence)


def test_a_lease_is_read_back_by_another_process_as_it_was_written(ledger: Ledger, path: Path) -> None:
    known = launched(ledger)
    with Ledger.open(path) as other:
        assert other.id == ledger.id
        assert other.leases() == [known]
        assert other.leases(run="r1") == [known]
        assert other.leases(run="r2") == []
        assert other.token(known) == ledger.token(known)


def test_the_history_of_a_lease_tells_each_step(ledger: Ledger) -> None:
    launched(ledger)
    ledger.advance("a", LeasePhase.READY, at=NOW + MINUTE, note="answered")
    assert [(row.at, row.phase, row.note) for row in ledger.history("a")] == [
        (NOW, LeasePhase.INTENDED, "intended: small in a"),
        (NOW, LeasePhase.REQUESTED, ""),
        (NOW, LeasePhase.KNOWN, "machine m-a"),
        (NOW + MINUTE, LeasePhase.READY, "answered"),
    ]


def test_only_the_owner_can_read_the_file_and_nothing_shows_the_secret(ledger: Ledger, path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        secret = connection.execute("SELECT value FROM meta WHERE key = 'secret'").fetchone()[0]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert secret not in repr(ledger)
    assert secret not in repr(vars(ledger)["_codec"])


def test_a_file_that_others_can_read_is_closed_to_them(path: Path) -> None:
    Ledger.open(path).close()
    path.chmod(0o644)
    Ledger.open(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_tokens_and_derived_secrets_differ_by_launch_and_purpose(ledger: Ledger) -> None:
    first = new(ledger)
    second = evolve(first, launch=2)
    assert ledger.tokens(second) == (ledger.token(second), ledger.token(first))
    derived = {ledger.derived(purpose, token) for purpose in ("host key", "ticket") for token in ledger.tokens(second)}
    assert len(derived) == 4


def test_what_is_intended_must_be_new_and_of_this_ledger(ledger: Ledger) -> None:
    ledger.intend(new(ledger))
    with pytest.raises(UsageError, match="there is a lease 'a' already"):
        ledger.intend(new(ledger))
    with pytest.raises(UsageError, match="of ledger l-mine"):
        ledger.intend(lease("b"))
    with pytest.raises(UsageError, match="no lease 'zz'"):
        ledger.lease("zz")


def test_a_lease_without_a_price_is_refused_under_a_limit_and_taken_without_one(ledger: Ledger) -> None:
    unknown = new(ledger, "a", offer(per_hour=None))
    with pytest.raises(BudgetExceeded, match=r"nobody knows what small in a costs, and run/r1 has a limit of 5 USD"):
        ledger.intend(unknown, budgets=[Budget(name="run/r1", limit=usd("5"))])
    assert ledger.leases() == []
    ledger.intend(unknown)
    assert ledger.leases() == [unknown]


def test_a_limit_in_another_currency_is_refused_in_words(ledger: Ledger) -> None:
    euros = Budget(name="run/r1", limit=evolve(usd("5"), currency="EUR"))
    with pytest.raises(BudgetExceeded, match="give the limit in USD"):
        ledger.intend(new(ledger), budgets=[euros])


def test_every_budget_must_allow_a_lease_or_none_is_charged(ledger: Ledger) -> None:
    run, pool = Budget(name="run/r1", limit=usd("1")), Budget(name="pool/r1/cloud", limit=usd("0.3"))
    ledger.intend(new(ledger, "a"), budgets=[run, pool])
    with pytest.raises(BudgetExceeded, match=r"of the 0.3 USD of pool/r1/cloud 0.200000 USD are committed"):
        ledger.intend(new(ledger, "b"), budgets=[run, pool])
    assert ledger.account("run/r1") == Account(budget=run, committed=usd("0.200000"))
    assert ledger.account("pool/r1/cloud") == Account(budget=pool, committed=usd("0.200000"))
    assert ledger.account("run/r2") is None


def test_a_machine_that_has_gone_costs_what_it_ran_and_frees_the_rest(ledger: Ledger) -> None:
    run = Budget(name="run/r1", limit=usd("0.25"))
    launched(ledger, "a", run)
    gone(ledger, "a", after=HOUR / 2)
    assert ledger.account("run/r1") == Account(budget=run, committed=usd("0.050000"))
    launched(ledger, "b", run)


def test_what_was_refused_or_never_asked_for_costs_nothing(ledger: Ledger) -> None:
    run = Budget(name="run/r1", limit=usd("0.4"))
    ledger.intend(new(ledger, "a"), budgets=[run])
    ledger.intend(new(ledger, "b"), budgets=[run])
    ledger.request("b", at=NOW)
    ledger.absent("a", Evidence(proof=Proof.NEVER_REQUESTED, text="the run has ended", at=NOW))
    ledger.absent("b", Evidence(proof=Proof.REFUSED, text="no capacity", at=NOW))
    assert ledger.account("run/r1") == Account(budget=run, committed=usd("0"))


def test_another_offer_after_a_refusal_is_paid_from_the_same_budgets(ledger: Ledger) -> None:
    run = Budget(name="run/r1", limit=usd("0.5"))
    refusal = Evidence(proof=Proof.REFUSED, text="no capacity", at=NOW)
    ledger.intend(new(ledger), budgets=[run])
    before = ledger.request("a", at=NOW)
    with pytest.raises(BudgetExceeded):
        ledger.retry("a", offer("huge", "9"), at=NOW, refusal=refusal)
    assert ledger.lease("a") == before
    after = ledger.retry("a", offer("large", "0.2"), at=NOW, refusal=refusal)
    assert ledger.account("run/r1") == Account(budget=run, committed=usd("0.400000"))
    assert ledger.token(after) != ledger.token(before)


def test_a_machine_dearer_than_offered_is_named_with_the_budget_that_it_overdraws(ledger: Ledger) -> None:
    run = Budget(name="run/r1", limit=usd("0.3"))
    ledger.intend(new(ledger), budgets=[run])
    ledger.request("a", at=NOW)
    known, overdrawn = ledger.confirm("a", "m-1", at=NOW, price=price("1"))
    assert (known.best_price, overdrawn) == (price("1"), [run])


def test_a_machine_that_was_kept_goes_to_another_run_and_each_pays_for_its_own_time(ledger: Ledger) -> None:
    old, new_run = Budget(name="run/r1", limit=usd("0.3")), Budget(name="run/r2", limit=usd("0.15"))
    launched(ledger, "a", old)
    ledger.advance("a", LeasePhase.READY, at=NOW)
    ledger.keep("a", at=NOW + HOUR / 2)

    taken = ledger.hand_over("a", "b", run="r2", pool="cloud", budgets=[new_run], at=NOW + HOUR)

    assert (taken.phase, taken.machine, taken.spec.run, taken.kept) == (LeasePhase.KNOWN, "m-a", "r2", False)
    assert taken.spec.ends_at == NOW + 2 * HOUR
    assert ledger.leases() == [taken]
    assert (ledger.set_aside("a"), ledger.set_aside("b")) == (usd("0.100000"), usd("0.100000"))
    gone(ledger, "b", after=1.5 * HOUR)
    assert ledger.account("run/r1") == Account(budget=old, committed=usd("0.100000"))
    assert ledger.account("run/r2") == Account(budget=new_run, committed=usd("0.050000"))


def test_a_machine_is_handed_over_once_and_only_when_it_is_free_and_can_be_paid(ledger: Ledger) -> None:
    launched(ledger)
    ready = ledger.advance("a", LeasePhase.READY, at=NOW)
    with pytest.raises(ValueError, match="was not left"):
        ledger.hand_over("a", "b", run="r2", pool="cloud", at=NOW)
    kept = ledger.keep("a", at=NOW)
    with pytest.raises(BudgetExceeded):
        ledger.hand_over("a", "b", run="r2", pool="cloud", budgets=[Budget(name="run/r2", limit=usd("0.1"))], at=NOW)
    assert ledger.leases() == [kept] == [evolve(ready, kept=True)]
    ledger.hand_over("a", "b", run="r2", pool="cloud", at=NOW)
    with pytest.raises(ValueError, match="was not left"):
        ledger.hand_over("a", "c", run="r3", pool="cloud", at=NOW)


def test_side_resources_go_with_a_machine_that_is_handed_over(ledger: Ledger) -> None:
    launched(ledger)
    with ledger.sides("fake", "acc") as sides:
        sides.use("a", [KEY])
    ledger.advance("a", LeasePhase.READY, at=NOW)
    ledger.keep("a", at=NOW)
    ledger.hand_over("a", "b", run="r2", pool="cloud", at=NOW)
    with ledger.sides("fake", "acc") as sides:
        assert (sides.users(KEY.id), sides.unused()) == (["b"], [])


def test_a_beat_and_a_sighting_are_no_steps_of_the_history(ledger: Ledger) -> None:
    launched(ledger)
    ledger.missed("a", at=NOW + MINUTE)
    steps = len(ledger.history("a"))
    ledger.beat(["a"], at=NOW + HOUR)
    assert ledger.seen("a").misses == ()
    assert ledger.lease("a").unattended_at == NOW + HOUR + timedelta(minutes=30)
    assert len(ledger.history("a")) == steps


def test_side_resources_are_free_when_the_last_lease_that_used_them_is_absent(ledger: Ledger) -> None:
    launched(ledger, "a")
    launched(ledger, "b")
    with ledger.sides("fake", "acc") as sides:
        sides.use("a", [KEY])
        sides.use("b", [KEY])
        assert (sides.users("key-1"), sides.unused()) == (["a", "b"], [])
    gone(ledger, "a", after=HOUR)
    with ledger.sides("fake", "acc") as sides:
        assert sides.unused() == []
        sides.forget("key-1")  # in use: it stays
    gone(ledger, "b", after=HOUR)
    with ledger.sides("fake", "other") as elsewhere:
        assert elsewhere.unused() == []
    with ledger.sides("fake", "acc") as sides:
        assert sides.unused() == [KEY]
        sides.forget("key-1")
        assert sides.unused() == []


def test_who_sweeps_and_who_begins_to_use_wait_for_each_other(ledger: Ledger, path: Path) -> None:
    launched(ledger, "a")
    order: list[str] = []
    entered = threading.Event()

    def other() -> None:
        with Ledger.open(path) as second:
            entered.set()
            with second.sides("fake", "acc") as sides:
                order.append("used")
                sides.use("a", [KEY])

    thread = threading.Thread(target=other)
    with ledger.sides("fake", "acc") as sides:
        thread.start()
        assert entered.wait(PROCESS_SECONDS)
        assert sides.unused() == []
        order.append("swept")
    thread.join(PROCESS_SECONDS)
    assert order == ["swept", "used"]


@pytest.mark.parametrize("content", [b"", b"nothing that SQLite knows\n" * 100])
def test_a_damaged_file_is_named_with_what_to_do(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(LedgerError, match=r"ledger\.db is damaged; move it away"):
        Ledger.open(path)
    assert path.read_bytes() == content


def test_a_file_of_a_newer_version_is_left_alone(path: Path) -> None:
    Ledger.open(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(LedgerError, match="has format 99; this version knows up to 1"):
        Ledger.open(path)


def test_a_lease_that_cannot_be_read_is_an_error_and_never_skipped(ledger: Ledger, path: Path) -> None:
    launched(ledger)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE leases SET body = '{}'")
    with pytest.raises(LedgerError, match="cannot be read"):
        ledger.leases()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LedgerError, match=r"cannot be made or read: (Not a directory|File exists)"):
        Ledger.open(tmp_path / "file" / "ledger.db")


def test_the_ledger_lies_where_the_xdg_specification_says() -> None:
    assert default_path({"XDG_STATE_HOME": "/s"}) == Path("/s/longshore/ledger.db")
    for environment in ({}, {"XDG_STATE_HOME": "relative"}):
        assert default_path(environment) == Path.home() / ".local/state/longshore/ledger.db"


RACER = """
import sys
from pathlib import Path
from longshore.errors import BudgetExceeded
from longshore.model.budget import Budget
from longshore.runtime.ledger import Ledger
from tests.leases.things import lease, spec, usd

name = sys.argv[2]
with Ledger.open(Path(sys.argv[1])) as ledger:
    sys.stdin.readline()
    for index in range(12):
        try:
            ledger.intend(lease(f"{name}-{index}", of=spec(ledger=ledger.id)),
                          budgets=[Budget(name="run/r1", limit=usd("2"))])
        except BudgetExceeded:
            continue
        print(f"{name}-{index}")
"""


def test_two_processes_never_get_the_last_dollar_both(path: Path) -> None:
    surroundings = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, str(path), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=surroundings,
        )
        for name in ("one", "two")
    ]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    got = [name for racer in racers for name in racer.communicate(timeout=PROCESS_SECONDS)[0].split()]
    assert [racer.returncode for racer in racers] == [0, 0]
    with Ledger.open(path) as ledger:
        assert sorted(each.id for each in ledger.leases()) == sorted(got)
        assert len(got) == 10  # each can cost 0.20 USD
        standing = ledger.account("run/r1")
    assert standing is not None
    assert standing.committed == usd("2.000000")
