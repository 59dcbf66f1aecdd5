"""What was written: the workflow as the run has it, and its file as it is now."""

from __future__ import annotations

import json
from collections.abc import Iterator

from longshore.config.document import to_document
from longshore_cli.report.html import Html, element
from longshore_web.frame import View, run_page
from longshore_web.pages.task import command_text

__all__ = ["workflow_page"]

_LONGEST = 400_000


def workflow_page(view: View, name: str, source: str | None) -> str:
    """Write the page of the workflow; ``source`` is what its file holds now, None when there is none."""
    return run_page(view, "workflow", _parts(view, name, source))


def _parts(view: View, name: str, source: str | None) -> Iterator[Html]:
    workflow = view.overview.shape.workflow
    yield element("p", "Commands of the tasks as they are written, then all that the run has recorded of them.")
    for spec in workflow.tasks[:200]:
        yield element("h3", spec.name)
        yield element("pre", command_text(spec), tabindex="0")
    recorded = json.dumps(json.loads(to_document(workflow)), indent=2, ensure_ascii=False)
    yield _opened("The workflow as this run has it", recorded)
    if source is not None:
        yield _opened(f"{name} as it is now", source)


def _opened(summary: str, text: str) -> Html:
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}\n..."
    return element("details", element("summary", summary), element("pre", shown))
