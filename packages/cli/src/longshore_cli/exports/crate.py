"""A run as a Workflow Run Crate 0.5 (https://w3id.org/ro/wfrun/workflow/0.5): a folder with the workflow, what came out
of it, and metadata that say what was made of what, when, where and by whom, by digest. Pure but for `write_crate`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from mimetypes import guess_type
from pathlib import Path
from typing import Any
from urllib.parse import quote

from attrs import frozen

from longshore.errors import UsageError
from longshore.runtime.project import Project
from longshore_cli.exports.kept import Kept, input_place, result_place
from longshore_cli.exports.ran import Ran, RanTask, command_words, moment, produced
from longshore_cli.text import counts

__all__ = ["About", "write_crate"]

_METADATA = "ro-crate-metadata.json"
_WORKFLOW = "workflow.json"
_CONTEXT = ["https://w3id.org/ro/crate/1.1/context", "https://w3id.org/ro/terms/workflow-run/context"]
_PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
_LANGUAGE = "#longshore"
_RUN = "#run"
_AGENT = "#agent"

Entity = dict[str, Any]


@frozen(kw_only=True)
class About:
    """What only the user knows of a crate."""

    agent: str
    """Who ran it."""
    licence: str
    """A URL, an SPDX name, or empty when none is stated."""
    version: str
    """Of Longshore."""


def write_crate(ran: Ran, project: Project, document: str, about: About, to: Path) -> int:
    """Write a crate into a new folder, and say how many files it has; ``document`` is the workflow as its run had it.

    Raises:
        UsageError: when there is something in the folder already.
        OSError: when it cannot be written.
    """
    if to.exists() and any(to.iterdir()):
        raise UsageError(f"{to} is not empty; name a new folder")
    to.mkdir(parents=True, exist_ok=True)
    results = project.results(ran.record.info.id)
    kept = Kept(to=to)
    for folder, output in produced(ran):
        kept.keep(results / folder / output.path, result_place(folder, output), output)
    for task in ran.tasks:
        for path, sha256 in task.inputs.items():
            kept.keep_file(project.folder / path, input_place(path), sha256)
    (to / _WORKFLOW).write_text(document, encoding="utf-8")
    graph = _graph(ran, kept, about)
    text = json.dumps({"@context": _CONTEXT, "@graph": graph}, indent=2, ensure_ascii=False)
    # Written last: a folder without it is no crate.
    (to / _METADATA).write_text(text + "\n", encoding="utf-8")
    return sum(1 for path in to.rglob("*") if path.is_file())


def _graph(ran: Ran, kept: Kept, about: About) -> list[Entity]:
    data = _data(ran, kept)
    actions = [_action(task, kept) for task in ran.tasks if task.attempt is not None]
    parameters = _parameters(ran)
    record = ran.record
    profiles = [
        {"@id": url, "@type": "CreativeWork", "name": name, "version": number}
        for url, (name, number) in _PROFILES.items()
    ]
    root: Entity = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"{record.info.workflow}, run {record.info.id}",
        "description": f"What a run of the workflow {record.info.workflow} read and made; it {record.info.state}",
        "datePublished": moment(record.ended),
        "license": _licence(about),
        "conformsTo": _refs(_PROFILES),
        "author": {"@id": _AGENT},
        "mainEntity": {"@id": _WORKFLOW},
        "hasPart": _refs([_WORKFLOW, *data]),
        "mentions": _refs([_RUN, *(action["@id"] for action in actions)]),
    }
    return [
        {
            "@id": _METADATA,
            "@type": "CreativeWork",
            "about": {"@id": "./"},
            "conformsTo": _refs(
                ["https://w3id.org/ro/crate/1.1", "https://w3id.org/workflowhub/workflow-ro-crate/1.0"]
            ),
        },
        root,
        *profiles,
        *_licences(about),
        _workflow(ran, parameters),
        _language(about),
        {"@id": _AGENT, "@type": "Person", "name": about.agent},
        _run(ran, kept, parameters),
        *(entity for pair in parameters for entity in pair),
        *_instruments(ran),
        *data.values(),
        *actions,
    ]


def _refs(ids: Iterable[str]) -> Any:
    """Refer to entities: to a single one by itself, as JSON-LD is flattened; to none by nothing."""
    found = [{"@id": each} for each in dict.fromkeys(ids)]
    return found[0] if len(found) == 1 else found


def _without_nothing(entity: Entity) -> Entity:
    return {key: value for key, value in entity.items() if value != []}


def _licence(about: About) -> Any:
    return {"@id": about.licence} if about.licence.startswith("http") else about.licence or "No licence is stated"


def _licences(about: About) -> list[Entity]:
    if not about.licence.startswith("http"):
        return []
    return [{"@id": about.licence, "@type": "CreativeWork", "name": about.licence, "description": "The licence"}]


def _workflow(ran: Ran, parameters: list[tuple[Entity, Entity]]) -> Entity:
    return {
        "@id": _WORKFLOW,
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
        "name": ran.record.info.workflow,
        "description": "The workflow as the run began with it",
        "encodingFormat": "application/json",
        "conformsTo": {"@id": "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"},
        "programmingLanguage": {"@id": _LANGUAGE},
        **({"input": _refs(formal["@id"] for formal, _ in parameters)} if parameters else {}),
        "hasPart": _refs(f"#task/{quote(spec.name)}" for spec in ran.record.workflow.tasks),
    }


def _language(about: About) -> Entity:
    return {
        "@id": _LANGUAGE,
        "@type": ["ComputerLanguage", "SoftwareApplication"],
        "name": "Longshore",
        "alternateName": "longshore",
        "version": about.version,
    }


def _parameters(ran: Ran) -> list[tuple[Entity, Entity]]:
    """Describe the workflow's parameters, each with the value that it had."""
    return [
        (
            {"@id": f"#parameter/{quote(name)}", "@type": "FormalParameter", "name": name, "additionalType": "Text"},
            {
                "@id": f"#value/{quote(name)}",
                "@type": "PropertyValue",
                "name": name,
                "value": value,
                "exampleOfWork": {"@id": f"#parameter/{quote(name)}"},
            },
        )
        for name, value in ran.record.workflow.params.items()
    ]


def _instruments(ran: Ran) -> Iterable[Entity]:
    """Describe each task as written as what its attempts executed."""
    for spec in ran.record.workflow.tasks:
        yield {
            "@id": f"#task/{quote(spec.name)}",
            "@type": "SoftwareApplication",
            "name": spec.name,
            "description": " ".join(command_words(spec.command)),
        }


def _data(ran: Ran, kept: Kept) -> dict[str, Entity]:
    """Describe all files and folders that were read or made, by id."""
    found: dict[str, Entity] = {}
    for folder, output in produced(ran):
        [name] = kept.outputs(folder, [output])
        kind = "File" if output.kind == "file" else "Dataset"
        _add(found, _datum(name, kind, f"{folder}/{output.path}", output.sha256) | {"contentSize": str(output.size)})
    for task in ran.tasks:
        for name, (path, sha256) in zip(kept.inputs(task), task.inputs.items(), strict=True):
            _add(found, _datum(name, "File", path, sha256))
    return found


def _add(found: dict[str, Entity], entity: Entity) -> None:
    """Add a file or folder; equal content is one of them, whatever it is called."""
    known = found.setdefault(entity["@id"], entity)
    if known["name"] != entity["name"] and entity["name"] not in known.get("alternateName", []):
        known.setdefault("alternateName", []).append(entity["name"])


def _datum(name: str, kind: str, path: str, sha256: str) -> Entity:
    form = guess_type(path)[0] or "application/octet-stream"
    entity: Entity = {"@id": name, "@type": kind, "name": path, "sha256": sha256}
    return {**entity, "encodingFormat": form} if kind == "File" else entity


def _status(succeeded: bool) -> str:
    word = "CompletedActionStatus" if succeeded else "FailedActionStatus"
    return f"http://schema.org/{word}"


def _run(ran: Ran, kept: Kept, parameters: list[tuple[Entity, Entity]]) -> Entity:
    record = ran.record
    read = [name for task in ran.tasks for name in kept.inputs(task)]
    run = {
        "@id": _RUN,
        "@type": "CreateAction",
        "name": f"Run {record.info.id}",
        "description": f"It {record.info.state}: {counts(record.info.phases)}",
        "instrument": {"@id": _WORKFLOW},
        "agent": {"@id": _AGENT},
        "startTime": moment(record.began),
        "endTime": moment(record.ended),
        "actionStatus": _status(record.info.state == "succeeded"),
        "object": _refs([*read, *(value["@id"] for _, value in parameters)]),
        "result": _refs(name for folder, output in produced(ran) for name in kept.outputs(folder, [output])),
    }
    return _without_nothing(run)


def _action(task: RanTask, kept: Kept) -> Entity:
    attempt = task.attempt
    assert attempt is not None
    action: Entity = {
        "@id": f"#attempt/{quote(task.id, safe='')}/{attempt.attempt}",
        "@type": "CreateAction",
        "name": f"{task.id}, attempt {attempt.attempt}",
        "description": f"on the machine {attempt.machine}; {attempt.outcome or 'it has not ended'}",
        "instrument": {"@id": f"#task/{quote(task.name)}"},
        "agent": {"@id": _AGENT},
        "actionStatus": _status(task.done),
        "object": _refs(kept.inputs(task)),
        "result": _refs(kept.outputs(task.folder, task.outputs)),
    }
    if attempt.started is not None:
        action["startTime"] = moment(attempt.started)
    if attempt.ended is not None:
        action["endTime"] = moment(attempt.ended)
    if attempt.failure:
        action["error"] = f"{attempt.failure}: {attempt.outcome}"
    return _without_nothing(action)
