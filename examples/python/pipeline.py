"""The workflow."""

import model

from longshore import Workflow

workflow = Workflow("waves")
values = workflow.call(model.heights, 20, outputs=["heights.json"])
workflow.call(model.summary, values)
workflow.shell("size", f"wc -c < {values.output('heights.json')} > size.txt", outputs=["size.txt"])
