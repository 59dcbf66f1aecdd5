"""The example that ``longshore init`` writes."""

from __future__ import annotations

from longshore.model.names import check_name

__all__ = ["TEMPLATE", "template"]

TEMPLATE = """\
# A workflow for Longshore. `longshore plan` says what would run, `longshore run` runs it.
# All keys: see "The workflow file" in the documentation. Paths are relative to the folder of this file.

name = "example"

# Three tasks: `numbers` writes a file, `power` reads it once for each exponent, `report` puts the results together.
# No order is declared: workflow:///numbers/numbers.txt makes `power` wait for `numbers`, and brings the file.

[tasks.numbers]
command = "seq 1 10 > numbers.txt"
outputs = ["numbers.txt"]

[tasks.power]
for_each.exponent = [2, 3]                       # one task for each value, which the command sees as $exponent
# for_each.exponent = { range = [2, 9] }         # or whole numbers, both ends included
# for_each.file = { glob = "data/*.csv" }        # or the project's files
# for_each.name = { lines_of = "names.txt" }     # or the lines of a file
command = "awk -v e=$exponent '{ print $1 ^ e }' workflow:///numbers/numbers.txt > powers.txt"
outputs = ["powers.txt"]
# inputs = ["settings.json"]                     # files of this folder that the command does not show
# needs = { cpus = 2, memory = "4 GiB" }
# retry = { attempts = 3, delay = "10 s" }
# timeout = "30 min"

[tasks.report]
command = "head workflow:///power/*/powers.txt > report.txt"
outputs = ["report.txt"]                         # comes home to results/

# At most so many tasks at once on this computer:
# [pools.local]
# tasks = 2
"""


def template(name: str) -> str:
    """Give the text of an example workflow of this name.

    Raises:
        ValueError: when the name is no good for a workflow.
    """
    return TEMPLATE.replace('name = "example"', f'name = "{check_name(name, "workflow name")}"')
