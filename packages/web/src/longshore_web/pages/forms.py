"""The forms that change something. Each sends along what only a page of ours knows."""

from __future__ import annotations

from longshore.runtime.history import TaskInfo
from longshore_cli.report.html import Html, element, joined
from longshore_web.frame import View
from longshore_web.html import NOTHING, address, void

__all__ = ["run_forms", "start_form", "task_forms"]

_LIVE = {"waiting", "staging", "building", "queued", "running"}
_AGAIN = {"failed", "lost", "cancelled", "skipped"}


def start_form(proof: str) -> Html:
    """Make the form that begins a run."""
    pay = element("label", void("input", type="checkbox", name="pay"), " Rent also where no max_cost is set")
    form = _form(proof, address("runs"), "Begin a new run", pay)
    return joined([element("h2", "New run"), element("p", "Of longshore.toml as it is now."), form])


def run_forms(view: View) -> Html:
    """Make the forms for a run: which of them depends on how it stands."""
    info = view.overview.info
    if view.at:
        return NOTHING
    if info.state == "running":
        cancel = _form(view.proof, address("runs", view.run, "cancel"), "Cancel the run")
        # Opened first, so that nothing is ended by one slip.
        return element("details", element("summary", "Cancel"), cancel)
    forms = []
    if info.resumable:
        forms.append(_form(view.proof, address("runs", view.run, "resume"), "Resume"))
        forms.append(_form(view.proof, address("runs", view.run, "cancel"), "Cancel for good"))
    if any(info.phases.get(phase) for phase in _AGAIN):
        retry = void("input", type="hidden", name="retry", value="yes")
        forms.append(_form(view.proof, address("runs", view.run, "resume"), "Resume, and retry what failed", retry))
    return joined(forms)


def task_forms(view: View, task: TaskInfo) -> Html:
    """Make the forms for a task of a run that goes on."""
    if view.at or view.overview.info.state != "running":
        return NOTHING
    identity = void("input", type="hidden", name="id", value=task.id)
    if task.phase in _LIVE:
        form = _form(view.proof, address("runs", view.run, "task", "cancel"), "Cancel the task", identity)
        return element("details", element("summary", "Cancel"), form)
    if task.phase in _AGAIN:
        return _form(view.proof, address("runs", view.run, "task", "retry"), "Try it again", identity)
    return NOTHING


def _form(proof: str, to: str, words: str, *fields: Html) -> Html:
    hidden = void("input", type="hidden", name="proof", value=proof)
    return element("form", hidden, *fields, element("button", words), method="post", action=to)
