"""Whatever is wrong in a workflow file is said once, with its place, its key, the value and what mends it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import frozen

from longshore.config.load import Loaded, load
from longshore.errors import ConfigError

Read = Callable[..., Loaded]


@frozen(kw_only=True)
class Case:
    """A wrong file, and what must be said of it."""

    text: str
    line: int | None
    key: str
    says: str
    remedy: str


NAME = 'name = "w"\n'
HELLO = '[tasks.hello]\ncommand = "true"\n'
CLOUD = NAME + '[pools.cloud]\nprovider = "aws"\nexecutor = "ssh"\n'
TWO = NAME + '[tasks.a]\ncommand = "true"\noutputs = ["a.txt"]\n[tasks.b]\n'
FIT = NAME + '[tasks.fit]\nfor_each.year = [2001, 2002]\ncommand = "true"\noutputs = ["m"]\n[tasks.b]\n'


def collected(
    value: str, says: str, remedy: str, *, below: str = "", outputs: str = '"m.json"', many: str = "repeat = 2"
) -> Case:
    """A task that is to be collected in a way that cannot be."""
    text = f'{NAME}[tasks.fit]\n{many}\ncommand = "true"\noutputs = [{outputs}]\ncollect = {value}\n'
    return Case(text=text, line=6, key=f"tasks.fit.collect{below}", says=says, remedy=remedy)


COLUMN = NAME + '[tasks.a]\ncommand = "true"\nfor_each.file = ["a.csv"]\nfor_each.column = %s\n'

CASES = {
    "columns of nothing": Case(
        text=COLUMN % '{ columns_of = "flie", matching = "x" }',
        line=5,
        key="tasks.a.for_each.column.columns_of",
        says="no parameter 'flie'",
        remedy="'file'",
    ),
    "columns without a pattern": Case(
        text=COLUMN % '{ columns_of = "file" }',
        line=5,
        key="tasks.a.for_each.column.columns_of",
        says="which columns",
        remedy="matching =",
    ),
    "columns by what is no pattern": Case(
        text=COLUMN % '{ columns_of = "file", matching = "(" }',
        line=5,
        key="tasks.a.for_each.column.matching",
        says="no regular expression",
        remedy="Power",
    ),
    "a pattern without columns": Case(
        text=COLUMN % '{ glob = "*", matching = "x" }',
        line=5,
        key="tasks.a.for_each.column.matching",
        says="'columns_of' only",
        remedy="take it out",
    ),
    "columns from two places": Case(
        text=COLUMN % '{ columns_of = "file", matching = "x", glob = "*" }',
        line=5,
        key="tasks.a.for_each.column.glob",
        says="does not go with",
        remedy="take it out",
    ),
    "a list as parameter": Case(
        text=NAME + "[params]\nyears = [1]\n" + HELLO, line=3, key="params.years", says="a list", remedy="a text"
    ),
    "a parameter that programs depend on": Case(
        text=NAME + '[params]\nPATH = "x"\n' + HELLO, line=3, key="params.PATH", says="overwrite", remedy=""
    ),
    "a parameter that there is not": Case(
        text=NAME + "[params]\nyear = 1\n" + HELLO + 'params = ["yaer"]\n',
        line=6,
        key="tasks.hello.params",
        says="no parameter 'yaer'",
        remedy="'year'",
    ),
    "a parameter of the workflow and of a task": Case(
        text=NAME + '[params]\nyear = 1\n[tasks.a]\nfor_each.year = [2]\ncommand = "echo $year"\n',
        line=5,
        key="tasks.a.for_each.year",
        says="too",
        remedy="another name",
    ),
    "a table of one task": collected('"a.csv"', "no members", "for_each", many="keep = true"),
    "a table of another kind": collected('"a.xls"', "'a.xls'", ".parquet"),
    "a table in a folder": collected('"t/a.csv"', "lies in a folder", "results folder"),
    "a table in the place of the errors": collected('"errors.csv"', "beside the table", "another name"),
    "a table without a name": collected('{ from = "m.json" }', "what the table is called", "into ="),
    "rows of an output that is not there": collected(
        '{ into = "a.csv", from = "n.json" }', "no output 'n.json'", "'m.json'", below=".from"
    ),
    "rows of what is no file with a row": collected(
        '{ into = "a.csv", from = "*.json" }', "no single file", ".json or .csv", below=".from"
    ),
    "an encoding that is none": collected(
        '{ into = "a.csv", encoding = "latin-99" }', "no encoding", "latin-1", below=".encoding"
    ),
    "rows of one of several outputs": collected('"a.csv"', "has 2 outputs", "from =", outputs='"a.json", "b.json"'),
    "rows of a task without outputs": collected('"a.csv"', "no output to collect", "row.json", outputs=""),
    "no name": Case(text=HELLO, line=None, key="", says="has no name", remedy='name = "..."'),
    "no tasks": Case(text=NAME, line=None, key="", says="has no tasks", remedy="[tasks.NAME]"),
    "unknown top key": Case(
        text=NAME + 'stratgy = "random"\n' + HELLO, line=2, key="stratgy", says="'stratgy'", remedy="'strategy'"
    ),
    "a number as strategy": Case(
        text=NAME + "strategy = 4\n" + HELLO, line=2, key="strategy", says="whole number 4", remedy="quotes"
    ),
    "a strategy without a name": Case(
        text=NAME + "strategy = { seed = 4 }\n" + HELLO, line=2, key="strategy", says="no name", remedy="name ="
    ),
    "a strategy whose name is a number": Case(
        text=NAME + "[strategy]\nname = 4\n" + HELLO, line=3, key="strategy.name", says="number 4", remedy="quotes"
    ),
    "unknown task key": Case(
        text=NAME + HELLO + 'output = ["x"]\n', line=4, key="tasks.hello.output", says="'output'", remedy="'outputs'"
    ),
    "a name with a space": Case(
        text=NAME + '[tasks."a b"]\ncommand = "true"\n', line=2, key='tasks."a b"', says="'a b'", remedy="'a_b'"
    ),
    "a name with a slash": Case(
        text=NAME + '[tasks."a/b"]\ncommand = "true"\n', line=2, key='tasks."a/b"', says="'a/b'", remedy="'a_b'"
    ),
    "a name with a quote": Case(
        text=NAME + '[tasks.\'a"b\']\ncommand = "true"\n', line=2, key=r'tasks."a\"b"', says='a"b', remedy="'a_b'"
    ),
    "a name with a line break": Case(
        text=NAME + '[tasks."a\\nb"]\ncommand = "true"\n', line=2, key=r'tasks."a\nb"', says=r"'a\nb'", remedy="'a_b'"
    ),
    "an empty workflow name": Case(
        text='name = ""\n' + HELLO, line=1, key="name", says="empty", remedy="between the quotes"
    ),
    "no command": Case(
        text=NAME + "[tasks.hello]\nkeep = true\n", line=2, key="tasks.hello", says="no command", remedy="command ="
    ),
    "an empty command": Case(
        text=NAME + '[tasks.a]\ncommand = ""\n',
        line=3,
        key="tasks.a.command",
        says="empty",
        remedy="between the quotes",
    ),
    "an empty command list": Case(
        text=NAME + "[tasks.a]\ncommand = []\n", line=3, key="tasks.a.command", says="empty", remedy='["program"'
    ),
    "a number as command": Case(
        text=NAME + "[tasks.a]\ncommand = 4\n", line=3, key="tasks.a.command", says="whole number 4", remedy="text"
    ),
    "a number in a command list": Case(
        text=NAME + '[tasks.a]\ncommand = ["head", 4]\n', line=3, key="tasks.a.command", says="4", remedy='"4"'
    ),
    "command and call": Case(
        text=NAME + HELLO + 'call = "m:f"\n', line=4, key="tasks.hello.call", says="a command and a call", remedy="out"
    ),
    "args without call": Case(
        text=NAME + HELLO + "args = [1]\n", line=4, key="tasks.hello.args", says="'args'", remedy="call ="
    ),
    "a call of nothing": Case(
        text=NAME + '[tasks.a]\ncall = "fit"\n', line=3, key="tasks.a.call", says="'fit'", remedy="module:function"
    ),
    "a date as an argument": Case(
        text=NAME + '[tasks.a]\ncall = "json:dumps"\nargs = [2020-01-01]\n',
        line=4,
        key="tasks.a.args",
        says="2020-01-01",
        remedy="as a file",
    ),
    "a module that is not there": Case(
        text=NAME + '[tasks.a]\ncall = "no_such_module:f"\n',
        line=3,
        key="tasks.a.call",
        says="'no_such_module'",
        remedy="install it",
    ),
    "a text where a number is needed": Case(
        text=NAME + HELLO + 'needs = { cpus = "4" }\n',
        line=4,
        key="tasks.hello.needs.cpus",
        says="the text '4'",
        remedy="without quotes",
    ),
    "true where a number is needed": Case(
        text=NAME + "max_tasks = true\n" + HELLO, line=2, key="max_tasks", says="true", remedy="digits"
    ),
    "no tasks at once": Case(
        text=NAME + "max_tasks = 0\n" + HELLO, line=2, key="max_tasks", says="0 is too small", remedy="1 or more"
    ),
    "a text where true is needed": Case(
        text=NAME + HELLO + 'keep = "yes"\n', line=4, key="tasks.hello.keep", says="'yes'", remedy="true or false"
    ),
    "a text where a list is needed": Case(
        text=NAME + HELLO + 'outputs = "x.txt"\n', line=4, key="tasks.hello.outputs", says="'x.txt'", remedy='["x.txt"]'
    ),
    "a list where a table is needed": Case(
        text=NAME + HELLO + "env = []\n", line=4, key="tasks.hello.env", says="a list", remedy="{ NAME"
    ),
    "a number in env": Case(
        text=NAME + HELLO + "env = { N = 4 }\n", line=4, key="tasks.hello.env.N", says="whole number 4", remedy='"4"'
    ),
    "a bad variable": Case(
        text=NAME + HELLO + 'env = { "A-B" = "x" }\n', line=4, key="tasks.hello.env.A-B", says="'A-B'", remedy="'_'"
    ),
    "a size without sense": Case(
        text=NAME + HELLO + 'needs.memory = "16 GX"\n',
        line=4,
        key="tasks.hello.needs.memory",
        says="'16 GX'",
        remedy='"16 GiB"',
    ),
    "a duration without a unit": Case(
        text=NAME + HELLO + "timeout = 30\n", line=4, key="tasks.hello.timeout", says="30", remedy='"30 s"'
    ),
    "no attempts": Case(
        text=NAME + HELLO + "retry = 0\n", line=4, key="tasks.hello.retry", says="0 attempts", remedy="1 means no retry"
    ),
    "an unknown failure class": Case(
        text=NAME + HELLO + 'retry = { on = ["time out"] }\n',
        line=4,
        key="tasks.hello.retry.on",
        says="'time out'",
        remedy="'timeout'",
    ),
    "an absolute output": Case(
        text=NAME + HELLO + 'outputs = ["/tmp/x"]\n', line=4, key="tasks.hello.outputs", says="absolute", remedy=""
    ),
    "an output outside": Case(
        text=NAME + HELLO + 'outputs = ["../x"]\n', line=4, key="tasks.hello.outputs", says="'../x'", remedy="inside"
    ),
    "an output among the inputs' folder": Case(
        text=NAME + HELLO + 'outputs = ["in/x"]\n', line=4, key="tasks.hello.outputs", says="'in/x'", remedy="else"
    ),
    "an output twice": Case(
        text=NAME + HELLO + 'outputs = ["x", "./x"]\n', line=4, key="tasks.hello.outputs", says="'x'", remedy="once"
    ),
    "an output inside another": Case(
        text=NAME + HELLO + 'outputs = ["d/", "d/x"]\n', line=4, key="tasks.hello.outputs", says="'d/'", remedy="once"
    ),
    "an output with a parameter": Case(
        text=NAME + HELLO + 'for_each.year = [1]\noutputs = ["$year.txt"]\n',
        line=5,
        key="tasks.hello.outputs",
        says="$year",
        remedy="glob",
    ),
    "an output that is an input": Case(
        text=NAME + HELLO + 'inputs = ["longshore.toml"]\noutputs = ["longshore.toml"]\n',
        line=5,
        key="tasks.hello.outputs",
        says="an input too",
        remedy="another name",
    ),
    "a missing input": Case(
        text=NAME + HELLO + 'inputs = ["longshore.tml"]\n',
        line=4,
        key="tasks.hello.inputs",
        says="'longshore.tml'",
        remedy="'longshore.toml'",
    ),
    "an input glob without a file": Case(
        text=NAME + HELLO + 'inputs = ["*.csv"]\n', line=4, key="tasks.hello.inputs", says="no file matches", remedy=""
    ),
    "an input outside": Case(
        text=NAME + HELLO + 'inputs = ["../x"]\n', line=4, key="tasks.hello.inputs", says="'..'", remedy="inside"
    ),
    "a secret from two places": Case(
        text=NAME + HELLO + 'secrets = { k = { file = "a", variable = "B" } }\n',
        line=4,
        key="tasks.hello.secrets.k",
        says="one place",
        remedy="file =",
    ),
    "a secret that is not there": Case(
        text=NAME + HELLO + 'secrets = { k = { file = "no-such-file" } }\n',
        line=4,
        key="tasks.hello.secrets.k",
        says="'no-such-file'",
        remedy="~",
    ),
    "a secret that an output takes along": Case(
        text=NAME + HELLO + 'outputs = ["*.lic"]\nsecrets = { "k.lic" = { variable = "K" } }\n',
        line=5,
        key='tasks.hello.secrets."k.lic"',
        says="take the secret along",
        remedy="another name",
    ),
    "a secret that another task reads": Case(
        text=NAME + HELLO + 'secrets = { k = { variable = "K" } }\n[tasks.b]\ncommand = "cat workflow:///hello/k"\n',
        line=4,
        key="tasks.hello.secrets.k",
        says="take the secret along",
        remedy="another name",
    ),
    "an input that takes a secret along": Case(
        text=NAME + HELLO + 'inputs = ["*.toml"]\nsecrets = { k = { file = "./longshore.toml" } }\n',
        line=5,
        key="tasks.hello.secrets.k",
        says="'*.toml' takes the secret along",
        remedy="leave it out",
    ),
    "an env_file that is not there": Case(
        text=NAME + 'env_file = ".env"\n' + HELLO, line=2, key="env_file", says="'.env'", remedy="write it"
    ),
    "an unknown pool": Case(
        text=NAME + "[pools.small]\n" + HELLO + 'pool = "smal"\n',
        line=5,
        key="tasks.hello.pool",
        says="'smal'",
        remedy="'small'",
    ),
    "which of two pools": Case(
        text=NAME + "[pools.one]\n[pools.two]\n" + HELLO,
        line=4,
        key="tasks.hello",
        says="one, two",
        remedy='"default"',
    ),
    "rented machines, and tasks that stay here": Case(
        text=CLOUD.replace("ssh", "local") + HELLO,
        line=4,
        key="pools.cloud.executor",
        says="on this computer",
        remedy='"ssh"',
    ),
    "a machine count that is said twice": Case(
        text=CLOUD + "count = 2\nmachines = { min = 1, max = 2 }\n" + HELLO,
        line=5,
        key="pools.cloud.count",
        says="both say how many",
        remedy="take one",
    ),
    "fewer machines at most than at least": Case(
        text=CLOUD + "machines = { min = 3, max = 2 }\n" + HELLO,
        line=5,
        key="pools.cloud.machines",
        says="fewer than the 3",
        remedy="swap",
    ),
    "a kind of machine without a kind": Case(
        text=CLOUD + "machines = [{ count = 2 }]\n" + HELLO,
        line=5,
        key="pools.cloud.machines",
        says="which machines",
        remedy="type =",
    ),
    "a budget without a currency": Case(
        text=CLOUD + 'max_cost = "5"\n' + HELLO, line=5, key="pools.cloud.max_cost", says="'5'", remedy="USD"
    ),
    "no money": Case(
        text=NAME + 'max_cost = "0 USD"\n' + HELLO, line=2, key="max_cost", says="no money", remedy="leave the key out"
    ),
    "hours without a time zone": Case(
        text=CLOUD + 'hours = "Mon-Fri 08-18"\n' + HELLO,
        line=5,
        key="pools.cloud.hours",
        says="time zone",
        remedy="Europe/Paris",
    ),
    "hours of no day": Case(
        text=CLOUD + 'hours = "Mo-Fr 08-18 UTC"\n' + HELLO,
        line=5,
        key="pools.cloud.hours",
        says="'mo-fr'",
        remedy="Mon-Fri",
    ),
    "hours in no place": Case(
        text=CLOUD + 'hours = "daily 08-18 Europe/Atlantis"\n' + HELLO,
        line=5,
        key="pools.cloud.hours",
        says="Atlantis",
        remedy="Europe/Paris",
    ),
    "an idle machine's fate": Case(
        text=CLOUD + 'when_idle = "sell"\n' + HELLO,
        line=5,
        key="pools.cloud.when_idle",
        says="'sell'",
        remedy='"stop"',
    ),
    "cpus to spread, and not how many": Case(
        text=CLOUD + "explode = true\n" + HELLO,
        line=5,
        key="pools.cloud.explode",
        says="how many cpus",
        remedy="cpus = 40",
    ),
    "an unknown environment": Case(
        text=NAME + "[environments.sci]\n" + HELLO + 'environment = "sc"\n',
        line=5,
        key="tasks.hello.environment",
        says="'sc'",
        remedy="'sci'",
    ),
    "after an unknown task": Case(
        text=NAME + HELLO + 'after = ["helo"]\n', line=4, key="tasks.hello.after", says="'helo'", remedy="'hello'"
    ),
    "a reference to an unknown task": Case(
        text=TWO + 'command = "cat workflow:///aa/a.txt"\n',
        line=6,
        key="tasks.b.command",
        says="'aa'",
        remedy="'a'",
    ),
    "a reference to an unknown output": Case(
        text=TWO + 'command = "cat workflow:///a/a.tx"\n',
        line=6,
        key="tasks.b.command",
        says="'a.tx'",
        remedy="'a.txt'",
    ),
    "a reference to nothing": Case(
        text=TWO + 'command = "cat workflow:///"\n',
        line=6,
        key="tasks.b.command",
        says="no task",
        remedy="<task>/<path>",
    ),
    "all outputs of a task without any": Case(
        text=NAME + '[tasks.a]\ncommand = "true"\n[tasks.b]\ncommand = "cat workflow:///a/"\n',
        line=5,
        key="tasks.b.command",
        says="'a'",
        remedy="outputs =",
    ),
    "a reference without member": Case(
        text=FIT + 'command = "cat workflow:///fit/m"\n',
        line=7,
        key="tasks.b.command",
        says="'fit'",
        remedy="fit/*/path",
    ),
    "a quote that is never closed": Case(
        text=NAME + """[tasks.a]\ncommand = "echo 'it"\n""",
        line=3,
        key="tasks.a.command",
        says="single quote at line 1, column 6",
        remedy="close it",
    ),
    "a quote inside what is replaced": Case(
        text=FIT + """for_each.year = [1]\ncommand = 'cat "workflow:///fit/"$year/m'\n""",
        line=8,
        key="tasks.b.command",
        says="a quote opens or closes",
        remedy="whole reference",
    ),
    "a member that only the shell knows": Case(
        text=FIT + 'command = "cat workflow:///fit/$(date)/m"\n',
        line=7,
        key="tasks.b.command",
        says="running shell",
        remedy="such as $year",
    ),
    "a reference with one slash": Case(
        text=TWO + 'command = "cat workflow:/a/x"\n', line=6, key="tasks.b.command", says="one slash", remedy="///"
    ),
    "a member by a variable of nobody": Case(
        text=FIT + 'command = "cat workflow:///fit/$year/m"\n',
        line=7,
        key="tasks.b.command",
        says="$year",
        remedy="such as *",
    ),
    "a variable in a list of arguments": Case(
        text=TWO + 'command = ["cat", "workflow:///a/$x"]\n', line=6, key="tasks.b.command", says="$x", remedy="shell"
    ),
    "a variable in inputs": Case(
        text=TWO + 'command = "true"\ninputs = ["workflow:///a/$x"]\n',
        line=7,
        key="tasks.b.inputs",
        says="$x",
        remedy="glob",
    ),
    "a path that leads out": Case(
        text=TWO + 'command = "cat workflow:///a/../x"\n', line=6, key="tasks.b.command", says="'..'", remedy="inside"
    ),
    "a result of a command": Case(
        text=TWO + 'call = "json:dumps"\nargs = [{ "$result" = "a" }]\n',
        line=6,
        key="tasks.b.call",
        says="'a' is a command",
        remedy="a file",
    ),
    "a cycle": Case(
        text=NAME
        + '[tasks.a]\ncommand = "cat workflow:///c/x"\n[tasks.b]\ncommand = "cat workflow:///a/x"\n'
        + '[tasks.c]\ncommand = "cat workflow:///b/x"\n',
        line=2,
        key="tasks.a",
        says="a -> b -> c -> a",
        remedy="take out",
    ),
    "a task that waits for itself": Case(
        text=NAME + HELLO + 'after = ["hello"]\n', line=2, key="tasks.hello", says="hello -> hello", remedy="take out"
    ),
    "no values": Case(
        text=NAME + HELLO + "for_each.x = []\n", line=4, key="tasks.hello.for_each.x", says="no values", remedy="one"
    ),
    "a value twice": Case(
        text=NAME + HELLO + 'for_each.x = [1, "1"]\n', line=4, key="tasks.hello.for_each.x", says="'1'", remedy="repeat"
    ),
    "true as a value": Case(
        text=NAME + HELLO + "for_each.x = [true]\n", line=4, key="tasks.hello.for_each.x", says="true", remedy='"true"'
    ),
    "a range of one number": Case(
        text=NAME + HELLO + "for_each.x = { range = [1] }\n",
        line=4,
        key="tasks.hello.for_each.x.range",
        says="not 1 numbers",
        remedy="[2001, 2020]",
    ),
    "a falling range": Case(
        text=NAME + HELLO + "for_each.x = { range = [2, 1] }\n",
        line=4,
        key="tasks.hello.for_each.x.range",
        says="from 2 to 1",
        remedy="smaller number first",
    ),
    "values from two places": Case(
        text=NAME + HELLO + 'for_each.x = { glob = "*", lines_of = "x" }\n',
        line=4,
        key="tasks.hello.for_each.x",
        says="one place",
        remedy="lines_of",
    ),
    "first of a range": Case(
        text=NAME + HELLO + "for_each.x = { range = [1, 2], first = 1 }\n",
        line=4,
        key="tasks.hello.for_each.x.first",
        says="'first'",
        remedy="take it out",
    ),
    "a parameter that is a variable already": Case(
        text=NAME + HELLO + "for_each.PATH = [1]\n",
        line=4,
        key="tasks.hello.for_each.PATH",
        says="'PATH'",
        remedy="'path'",
    ),
    "values of an unknown task": Case(
        text=NAME + HELLO + 'for_each.x = { lines_of = "workflow:///scan/x" }\n',
        line=4,
        key="tasks.hello.for_each.x",
        says="'scan'",
        remedy="name a task",
    ),
    "more tasks than anybody can have": Case(
        text=NAME + HELLO + "for_each.x = { range = [1, 2000000] }\n",
        line=4,
        key="tasks.hello.for_each",
        says="2,000,000 tasks",
        remedy="fewer",
    ),
    "more repeats than anybody can have": Case(
        text=NAME + HELLO + "repeat = 1000000000000\n",
        line=4,
        key="tasks.hello.repeat",
        says="1,000,000,000,000 tasks",
        remedy="fewer",
    ),
    "two parameters named repeat": Case(
        text=NAME + HELLO + "repeat = 2\nfor_each.repeat = [1]\n",
        line=5,
        key="tasks.hello.for_each.repeat",
        says="'repeat'",
        remedy="another name",
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_mistake_is_one_problem_with_place_key_value_and_remedy(case: Case, read: Read) -> None:
    with pytest.raises(ConfigError) as raised:
        read(case.text)

    (problem,) = raised.value.problems
    assert problem.place == (f"longshore.toml:{case.line}" if case.line else "longshore.toml")
    assert problem.key == case.key
    assert case.says in problem.message
    assert case.remedy in problem.remedy


def test_all_mistakes_are_said_at_once(read: Read) -> None:
    with pytest.raises(ConfigError) as raised:
        read(
            'name = "w"\nmax_tasks = "2"\n[pools.p]\ntasks = 0\n[tasks.a]\ncommand = 1\nkeep = 2\n'
            '[tasks.b]\ncommand = "cat workflow:///a/x workflow:///cc/x"\ninputs = ["nothing"]\n'
        )

    assert [(problem.place, problem.key) for problem in raised.value.problems] == [
        ("longshore.toml:2", "max_tasks"),
        ("longshore.toml:4", "pools.p.tasks"),
        ("longshore.toml:6", "tasks.a.command"),
        ("longshore.toml:7", "tasks.a.keep"),
        ("longshore.toml:9", "tasks.b.command"),
        ("longshore.toml:10", "tasks.b.inputs"),
    ]


def test_a_syntax_error_shows_line_and_column(read: Read) -> None:
    with pytest.raises(ConfigError) as raised:
        read('name = "w"\n[tasks.a]\ncommand = "unclosed\n')

    (problem,) = raised.value.problems
    assert problem.place == "longshore.toml:3:20"
    assert 'command = "unclosed\n' in problem.message


def test_a_key_that_stands_twice_is_a_syntax_error_with_its_line(read: Read) -> None:
    with pytest.raises(ConfigError) as raised:
        read('name = "w"\nname = "v"\n')

    (problem,) = raised.value.problems
    assert problem.place.startswith("longshore.toml:2")
    assert "overwrite" in problem.message


def test_a_missing_file_names_what_there_is(folder: Path) -> None:
    (folder / "other.toml").write_text("")

    with pytest.raises(ConfigError) as raised:
        load(folder)

    (problem,) = raised.value.problems
    assert problem.place == str(folder / "longshore.toml")
    assert problem.remedy == "there are: other.toml; or `longshore init` writes an example"


def test_a_file_that_is_not_utf_8_is_refused_with_the_line(folder: Path) -> None:
    (folder / "longshore.toml").write_bytes(b'name = "w"\n# caf\xe9\n')

    with pytest.raises(ConfigError) as raised:
        load(folder)

    (problem,) = raised.value.problems
    assert (problem.place, problem.message) == ("longshore.toml:2", "byte 0xe9 is not UTF-8")


def test_the_hundredth_mistake_of_one_kind_ends_the_list(read: Read) -> None:
    tasks = "".join(f'[tasks.t{number}]\ncommand = "true"\nkep = true\n' for number in range(150))

    with pytest.raises(ConfigError) as raised:
        read(NAME + tasks)

    assert len(raised.value.problems) == 101
    assert "50 more problems" in raised.value.problems[-1].message


@pytest.mark.parametrize(
    ("text", "says"),
    [("x = " + "[" * 5000 + "]" * 5000, "nested too deeply"), ("x = " + "9" * 5000, "4300 digits")],
    ids=["depth", "digits"],
)
def test_what_toml_can_say_and_nobody_means_is_a_problem_too(read: Read, text: str, says: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read(text)

    (problem,) = raised.value.problems
    assert says in problem.message


def test_an_input_must_not_take_the_env_file_along(read: Read) -> None:
    with pytest.raises(ConfigError) as raised:
        read(NAME + 'env_file = "./conf/vars"\n' + HELLO + 'inputs = ["conf"]\n', {"conf/vars": "A=1\n"})

    (problem,) = raised.value.problems
    assert (problem.place, problem.key) == ("longshore.toml:5", "tasks.hello.inputs")
    assert problem.message == "'conf' takes the env_file along, whose content must not be kept"


def test_a_mistake_in_one_key_of_a_task_hides_none_in_the_others(read: Read) -> None:
    text = """
name = "w"
[tasks.a]
command = "cat workflow:///nobody/x"
timeout = 5
pool = "clowd"
"""

    with pytest.raises(ConfigError) as caught:
        read(text)

    keys = sorted(problem.key for problem in caught.value.problems)
    assert keys == ["tasks.a.command", "tasks.a.pool", "tasks.a.timeout"]
