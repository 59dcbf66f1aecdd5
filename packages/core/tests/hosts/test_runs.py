"""Whole runs on hosts with stores of their own: data is where it is needed, and travels no more than it must."""

from __future__ import annotations

from longshore.model.events import AttemptIntended
from longshore.model.move_events import Moved

from .rig import DIAMOND, Rig


def test_a_diamond_on_two_hosts_comes_home(rig: Rig) -> None:
    run = rig.play(DIAMOND.format(pool=rig.pool("h1", "h2")))

    assert run.state == "succeeded"
    assert rig.result(run, "d/d.txt").read_text() == "one\nb\none\nc\n"
    events = rig.events(run.id)
    assert {event.machine for event in events if isinstance(event, AttemptIntended)} == {"h1", "h2"}
    moved = [each.path for event in events if isinstance(event, Moved) for each in event.artifacts]
    assert sorted(moved) == sorted(set(moved)), "something came home twice"
    assert "d/d.txt" in moved


def test_what_many_tasks_read_travels_once_to_each_host(rig: Rig) -> None:
    (rig.project.folder / "big.dat").write_bytes(b"x" * 300_000)
    text = f"""
name = "fan"
{rig.pool("h1", "h2", cpus=2)}
[tasks.count]
for_each.n = {{ range = [1, 12] }}
command = "wc -c < big.dat > size.txt"
inputs = ["big.dat"]
[tasks.sum]
command = "cat workflow:///count/*/size.txt > all.txt"
outputs = ["all.txt"]
"""
    run = rig.play(text)

    assert rig.result(run, "sum/all.txt").read_text() == "300000\n" * 12
    for host in rig.hosts.values():
        travelled = host.travelled()
        assert len(travelled) == len(set(travelled)), "something travelled twice"


def test_folders_modes_links_and_big_files_arrive_as_they_are(rig: Rig) -> None:
    text = f"""
name = "tree"
{rig.pool("h1", "h2")}
[tasks.make]
command = '''
mkdir -p tree/empty tree/sub; seq 200000 > tree/sub/big; printf 'echo hello' > tree/run.sh
chmod 755 tree/run.sh; chmod 600 tree/sub/big; ln -s sub/big tree/link
'''
outputs = ["tree"]
[tasks.one]
command = "find workflow:///make/tree -printf '%P %m %l\\n' | sort > one.txt; sleep 0.1"
[tasks.two]
command = "find workflow:///make/tree -printf '%P %m %l\\n' | sort > two.txt; sleep 0.1"
[tasks.part]
command = "workflow:///make/tree/run.sh > part.txt; wc -l < workflow:///make/tree/sub/big >> part.txt"
[tasks.whole]
command = "cat workflow:///one/one.txt workflow:///two/two.txt workflow:///part/part.txt > whole.txt"
outputs = ["whole.txt"]
"""
    run = rig.play(text)

    tree = " 755 \nempty 755 \nlink 777 sub/big\nrun.sh 755 \nsub 755 \nsub/big 600 \n"
    assert rig.result(run, "whole/whole.txt").read_text() == tree + tree + "hello\n200000\n"


def test_work_here_and_on_hosts_meet(rig: Rig) -> None:
    text = f"""
name = "mixed"
{rig.pool("h1")}
[pools.here]
executor = "local"
[tasks.a]
command = "echo a > a.txt"
pool = "far"
[tasks.b]
command = "cat workflow:///a/a.txt > b.txt; echo b >> b.txt"
pool = "here"
[tasks.c]
command = "cat workflow:///b/b.txt > c.txt; echo c >> c.txt"
pool = "far"
outputs = ["c.txt"]
"""
    run = rig.play(text)

    assert rig.result(run, "c/c.txt").read_text() == "a\nb\nc\n"


def test_the_second_run_finds_what_came_home_and_runs_nothing_again(rig: Rig) -> None:
    text = DIAMOND.format(pool=rig.pool("h1", "h2")).replace("[tasks.d]", "[tasks.d]\nkeep = true")
    rig.play(text)

    again = rig.play(text)

    assert {task.id: task.phase for task in again.tasks()}["d"] == "up to date"


def test_values_for_members_are_read_from_what_a_host_wrote(rig: Rig) -> None:
    text = f"""
name = "members"
{rig.pool("h1", "h2")}
[tasks.list]
command = "seq 3 > list.txt; mkdir d; touch d/x d/y"
outputs = ["list.txt", "d"]
[tasks.each]
for_each.n = {{ lines_of = "workflow:///list/list.txt" }}
command = "echo $n > n.txt"
[tasks.file]
for_each.f = {{ glob = "workflow:///list/d/*" }}
command = "echo $f > f.txt"
[tasks.all]
command = "cat workflow:///each/*/n.txt workflow:///file/*/f.txt > all.txt"
outputs = ["all.txt"]
"""
    run = rig.play(text)

    assert rig.result(run, "all/all.txt").read_text() == "1\n2\n3\nd/x\nd/y\n"


MODULES = {
    "analysis/__init__.py": "",
    "analysis/tools.py": "def half(number):\n    return number / 2\n",
    "steps.py": (
        "import os\n"
        "from analysis.tools import half\n\n"
        "def size(path, number):\n"
        "    assert '/project/' not in __file__, __file__\n"
        "    with open(path) as file:\n"
        "        return half(len(file.read()) + number)\n"
    ),
}


def test_python_calls_find_the_modules_of_the_project_on_machines_without_it(rig: Rig) -> None:
    for path, text in MODULES.items():
        (rig.project.folder / path).parent.mkdir(exist_ok=True)
        (rig.project.folder / path).write_text(text)
    text = f"""
name = "calls"
{rig.pool("h1", "h2")}
[tasks.make]
command = "printf 123456 > data.txt"
[tasks.size]
for_each.n = {{ range = [1, 4] }}
call = "steps:size"
args = ["in/make/data.txt", 2]
inputs = ["workflow:///make/data.txt"]
"""
    run = rig.play(text)

    assert run.state == "succeeded", [each.evidence for each in run.reader().attempts("size[n=1]")]
    assert [run.reader().replay().tasks[f"size[n={n}]"].result for n in range(1, 5)] == ["4.0"] * 4
    for host in rig.hosts.values():
        travelled = host.travelled()
        assert len(travelled) == len(set(travelled)), "something travelled twice"


def test_many_short_calls_of_two_packages_do_not_meet(rig: Rig) -> None:
    calls = (
        "import sys\n\n\ndef call(n):\n"
        "    assert ('one' in sys.modules) + ('two' in sys.modules) == 1\n"
        "    return f'{__package__} {n}'\n"
    )
    for name in ("one", "two"):
        (rig.project.folder / name).mkdir()
        (rig.project.folder / name / "__init__.py").touch()
        (rig.project.folder / name / "calls.py").write_text(calls)
    names = ["one", "two"] * 150
    text = f'name = "two"\n{rig.pool("h1", cpus=2)}' + "".join(
        f'[tasks.t{number}]\ncall = "{name}.calls:call"\nargs = [{number}]\n' for number, name in enumerate(names)
    )

    run = rig.play(text)

    tasks = run.reader().replay().tasks
    assert run.state == "succeeded", [each.evidence for each in run.reader().attempts()]
    told = [tasks[f"t{number}"].result for number in range(len(names))]
    assert told == [f'"{name} {number}"' for number, name in enumerate(names)]


def test_a_big_file_goes_round_four_hosts(rig: Rig) -> None:
    pools = "".join(rig.pool(f"h{n}", name=f"p{n}") for n in range(1, 5))
    text = f"""
name = "four"
{pools}
[tasks.a]
command = "seq 2000000 > a.txt"
pool = "p1"
[tasks.b]
command = "sha256sum < workflow:///a/a.txt > b.txt; mkdir parts; split -n 4 workflow:///a/a.txt parts/"
outputs = ["b.txt", "parts"]
pool = "p2"
[tasks.c]
command = "cat workflow:///b/parts/* | sha256sum > c.txt"
pool = "p3"
[tasks.d]
command = "cat workflow:///b/b.txt workflow:///c/c.txt > d.txt; sha256sum < workflow:///a/a.txt >> d.txt"
outputs = ["d.txt"]
pool = "p4"
"""
    run = rig.play(text)

    one, two, three = rig.result(run, "d/d.txt").read_text().splitlines()
    assert one == two == three
    for host in rig.hosts.values():
        travelled = host.travelled()
        assert len(travelled) == len(set(travelled)), "something travelled twice"


def test_rows_come_home_from_hosts_and_the_table_goes_back_to_them(rig: Rig) -> None:
    text = f"""
name = "table"
{rig.pool("h1", "h2")}
[tasks.split]
command = "mkdir d; for n in 1 2 3; do printf 'time,Power%s\\n1,2\\n' $n > d/$n.csv; done; echo time > d/4.csv"
outputs = ["d/"]
[tasks.fit]
for_each.file = {{ glob = "workflow:///split/d/*.csv" }}
for_each.column = {{ columns_of = "file", matching = "^Power" }}
command = '''printf "value\\n$column!" > row.csv; echo big > other.txt'''
outputs = ["row.csv", "other.txt"]
collect = {{ into = "all.csv", from = "row.csv" }}
[tasks.each]
after = ["fit"]
command = "true"
"""
    bad = rig.play(text)
    table = "[tasks.lines]\ncommand = 'grep -c Power workflow:///fit/all.csv > lines.txt'\noutputs = ['lines.txt']\n"
    good = rig.play(text.replace("; echo time > d/4.csv", "") + table)

    assert bad.state == "failed"
    expected = "".join(f"d/{n}.csv,Power{n},Power{n}!\n" for n in (1, 2, 3))
    assert rig.result(bad, "fit/all.csv").read_text() == f"file,column,value\n{expected}"
    assert "d/4.csv has no column that matches '^Power'; it has time" in rig.result(bad, "fit/errors.csv").read_text()
    assert good.state == "succeeded"
    assert rig.result(good, "lines/lines.txt").read_text() == "3\n"
