"""The report of a study: sentences, charts, tables, files and a link."""

from __future__ import annotations

from functools import partial

import streamlit as st

from db import studies
from db.database import opened
from pages.widgets import chart_panel, panels, share, tabular
from pages.widgets.view import prose
from services.report.charts.scaling import STUDY_CHARTS
from services.report.export.study_contents import diagnostics_of, overview_of
from services.report.export.study_files import STUDY_EXPORTS, StudyExport
from services.studies.report import Report, report
from services.studies.study import Study
from services.studies.tables import all_tables


def show(study: Study) -> None:
    """Show the report of what has been measured so far."""
    cells = studies.measured_cells(opened(), study)
    if not any(cell.candidate for cell in cells):
        return
    study_report = report(cells, study.config.usd_per_gpu_hour, study.device)
    words(study_report)
    if not study_report.mixes:
        for chart in STUDY_CHARTS:
            chart_panel.draw_study(
                chart, cells, study.id, partial(studies.measured_cells, opened(), study)
            )
    for table in all_tables(study_report):
        tabular.table(table, table.title)


def words(study_report: Report) -> None:
    """Show the first sentence in large type, with the others below it."""
    st.subheader(prose(study_report.headline), anchor="verdict")
    if study_report.details:
        st.markdown(prose(study_report.details))
    st.caption(prose(overview_of(study_report)))
    panels.show_diagnosed(list(diagnostics_of(study_report)))
    if study_report.sentences:
        st.markdown("\n".join(f"- {prose(sentence)}" for sentence in study_report.sentences))
    for note in study_report.notes:
        st.caption(prose(note))


def download_buttons(study: Study) -> None:
    """Show the study's share link and files."""
    cells = studies.measured_cells(opened(), study)
    if any(cell.candidate for cell in cells):
        files = [
            (entry, entry.filename.format(study=study.id), partial(_file, entry, study))
            for entry in STUDY_EXPORTS
        ]
        share.of_study(study, files)


def _file(entry: StudyExport, study: Study) -> bytes:
    """Return the file from data read now, because a session would keep the requests, see
    `downloads`."""
    cells = studies.measured_cells(opened(), study)
    return entry.write(study.name, cells, study.config.usd_per_gpu_hour, study.device)
