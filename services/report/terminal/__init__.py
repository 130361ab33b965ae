"""Runs, studies, engines and backends as text for the terminal."""

from __future__ import annotations

from services.report.terminal.batches import batches_text as batches_text
from services.report.terminal.engines import engine_text as engine_text
from services.report.terminal.engines import engines_text as engines_text
from services.report.terminal.findings import findings_text as findings_text
from services.report.terminal.runs import backend_address as backend_address
from services.report.terminal.runs import backend_rows as backend_rows
from services.report.terminal.runs import backends_text as backends_text
from services.report.terminal.runs import baselines_text as baselines_text
from services.report.terminal.runs import comparison_text as comparison_text
from services.report.terminal.runs import list_text as list_text
from services.report.terminal.runs import run_text as run_text
from services.report.terminal.runs import servers_text as servers_text
from services.report.terminal.runs import share_text as share_text
from services.report.terminal.runs import shares_text as shares_text
from services.report.terminal.runs import thresholds_text as thresholds_text
from services.report.terminal.runs import tokens_text as tokens_text
from services.report.terminal.studies import plan_text as plan_text
from services.report.terminal.studies import report_text as report_text
from services.report.terminal.studies import studies_text as studies_text
from services.report.terminal.text import plain as plain
from services.report.terminal.text import table as table
