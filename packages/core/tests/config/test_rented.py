"""What is written of a pool's machines becomes what is rented."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from longshore.config.load import Loaded
from longshore.errors import ConfigError
from longshore.model.offer import Needs
from longshore.model.quantity import Money
from longshore.model.rented import MachineKind, RentedPool, WhenIdle

Read = Callable[..., Loaded]


def rented(read: Read, words: str) -> RentedPool:
    text = f'name = "w"\n[pools.cloud]\nprovider = "aws"\nexecutor = "ssh"\n{words}\n[tasks.a]\ncommand = "true"\n'
    [pool] = read(text).spec.pools
    assert pool.options == {}
    assert pool.rented is not None
    return pool.rented


def kinds(read: Read, words: str) -> tuple[MachineKind, ...]:
    return rented(read, words).kinds


def test_rented_machines_are_reached_by_ssh_unless_the_pool_says_otherwise(read: Read) -> None:
    text = 'name = "w"\n[pools.cloud]\nprovider = "aws"\n{}\n[tasks.a]\ncommand = "true"\n'
    [usual], [other] = read(text.format("")).spec.pools, read(text.format('executor = "mine"')).spec.pools
    assert (usual.executor, other.executor) == ("ssh", "mine")


def test_without_a_word_there_is_one_machine_at_most(read: Read) -> None:
    assert kinds(read, "") == (MachineKind(needs=Needs(), least=0, most=1),)


def test_a_count_is_as_many_always(read: Read) -> None:
    assert kinds(read, 'type = "c5"\ncount = 3') == (MachineKind(needs=Needs(type="c5"), least=3, most=3),)


def test_a_least_number_is_a_most_where_that_is_not_said(read: Read) -> None:
    assert kinds(read, "machines = { min = 2 }") == (MachineKind(needs=Needs(), least=2, most=2),)
    assert kinds(read, "machines = { max = 8 }") == (MachineKind(needs=Needs(), least=0, most=8),)


def test_kinds_are_kept_in_their_order_each_with_its_own_words(read: Read) -> None:
    words = 'spot = true\nmachines = [{ type = "c5", count = 2 }, { needs = { gpus = 1 }, max = 4, spot = false }]'
    assert kinds(read, words) == (
        MachineKind(needs=Needs(type="c5"), least=2, most=2, spot=True),
        MachineKind(needs=Needs(gpus=1), least=0, most=4, spot=False),
    )


def test_cpus_that_are_spread_are_no_need_of_one_machine(read: Read) -> None:
    pool = rented(read, 'explode = true\nneeds = { cpus = 40, memory = "8 GiB" }')
    assert pool.spread_cpus == 40
    assert pool.kinds[0].needs == Needs(memory_bytes=8 << 30)


def test_money_and_times_are_exact(read: Read) -> None:
    pool = rented(
        read,
        'max_cost = "5 USD"\nmax_price = "0.10 usd"\nlifetime = "2 h"\nunattended = "10 min"\nidle = "30 s"\n'
        'boot = "3 min"\nwhen_idle = "stop"\nimage = "ami-1"\nhours = "Mon-Fri 08-18 Europe/Paris"',
    )
    assert (pool.max_cost, pool.max_price) == (
        Money(amount=Decimal(5), currency="USD"),
        Money(amount=Decimal("0.10"), currency="USD"),
    )
    assert (pool.lifetime, pool.unattended) == (timedelta(hours=2), timedelta(minutes=10))
    assert (pool.idle, pool.boot) == (timedelta(seconds=30), timedelta(minutes=3))
    assert (pool.when_idle, pool.image) == (WhenIdle.STOP, "ami-1")
    assert str(pool.hours) == "Mon,Tue,Wed,Thu,Fri 08:00-18:00 Europe/Paris"


def test_a_machine_that_is_kept_waits_until_its_end_unless_it_is_said_how_long(read: Read) -> None:
    assert rented(read, 'when_idle = "keep"\nlifetime = "3 h"').unattended == timedelta(hours=3)
    assert rented(read, 'when_idle = "keep"\nunattended = "1 h"').unattended == timedelta(hours=1)


def test_all_mistakes_of_a_pool_are_told_at_once(read: Read) -> None:
    with pytest.raises(ConfigError) as caught:
        rented(read, 'max_cost = 5\nidle = 3\nspot = "yes"')
    assert [problem.key for problem in caught.value.problems] == [
        "pools.cloud.max_cost",
        "pools.cloud.idle",
        "pools.cloud.spot",
    ]
