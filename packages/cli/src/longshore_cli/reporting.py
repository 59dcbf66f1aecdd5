"""How `report` answers: which run is meant, what is printed and where files go."""

from __future__ import annotations

from pathlib import Path

from longshore.runtime.history import RunReader
from longshore_cli.invocation import Invocation
from longshore_cli.output import answer, answer_json
from longshore_cli.places import find_project
from longshore_cli.report.figures import read_figures
from longshore_cli.report.repetitions import repetitions
from longshore_cli.report.summary_table import figures_document, summary_table
from longshore_cli.summary import shown_path

__all__ = ["tell"]


def tell(run: str | None, folder: Path | None, to: Path | None, invocation: Invocation, *, text: bool) -> None:
    """Print the figures of a run, or write its report into ``to``.

    Raises:
        UsageError: when there is no such run, or the report cannot be written.
        JournalError: when the run's record is damaged.
    """
    project = find_project(folder)
    wanted = project.find_run(run)
    runs = repetitions(project, wanted)
    files: list[Path] = []
    if text:
        figures = [read_figures(reader) for reader in runs]
    else:
        from longshore_cli.report.record import read_record
        from longshore_cli.report.writing import write_report

        record = read_record(RunReader(project.run_folder(wanted)))
        figures = [record.figures if reader.folder.name == wanted else read_figures(reader) for reader in runs]
        files = write_report(record, figures, to or project.results(f"report-{wanted}"))
    if invocation.json:
        answer_json({**figures_document(figures), "files": [str(path) for path in files]})
        return
    if text:
        answer("\n".join(summary_table(figures).lines()))
    for path in files:
        answer(shown_path(path))
