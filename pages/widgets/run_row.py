"""A run as a row of History: what its name does not say, and the numbers that matter, as HTML."""

from __future__ import annotations

from html import escape
from textwrap import shorten

from db.runs import RunRow
from pages.widgets.panels import to_minute
from services.analysis.compare.baseline_verdict import BaselineVerdict, decided_by, short
from services.ask.backends import server_text
from services.base.units import many, show, unbroken
from services.report.theme import Palette

NUMBERS = {  # by label: the key in the headline, and the unit
    "Output throughput (tokens/s)": ("output_tokens_per_s", ""),
    "TTFT, median": ("ttft_s_median", "s"),
    "E2E latency, median": ("e2e_s_median", "s"),
}
NOTE = 120  # characters of a note; the run's page shows all of it
STARTED, AGAINST = "Started", "vs baseline"
BOX = "4.2rem"
COLUMNS = "6.6rem 7.4rem 5rem 5.4rem"
STYLE = """<style>
.st-key-runs > * { border-bottom: 1px solid %(grid)s; padding: .35rem 0; }
.st-key-runs [class*=st-key-tick] { width: BOX; flex: none; }
.st-key-runs [data-testid=stHorizontalBlock] { gap: .2rem .8rem; flex-wrap: nowrap; }
.st-key-runs [data-testid=stPageLink-NavLink] { padding: 0; height: auto; min-height: 0; }
.st-key-runs [data-testid=stPageLink-NavLink] p { white-space: normal; overflow-wrap: anywhere;
  color: %(link)s; font-size: .9rem; line-height: 1.35; }
.st-key-runs [data-testid=stHorizontalBlock] > :last-child { flex: none; width: %(width)s; }
.about, .run small { color: %(muted)s; font-size: .8rem; display: block; line-height: 1.35;
  overflow-wrap: anywhere; }
.about { padding-top: .3rem; }
.about .state { border: 1px solid %(muted)s; border-radius: 1rem; padding: 0 .5rem;
  margin-right: .3rem; white-space: nowrap; }
.about .failed { border-color: %(failed)s; color: %(failed)s; }
.about .warned { border-color: %(warning)s; color: %(warning)s; }
.run { display: grid; gap: 0 .8rem; align-items: center; font-size: .9rem; line-height: 1.35;
  grid-template-columns: %(columns)s; }
.run .number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.run.head { color: %(muted)s; width: %(width)s; margin-left: auto; align-items: end; }
.run.head .number { white-space: normal; }
.run .label { display: none; color: %(muted)s; font-size: .8rem; }
@media (max-width: 1000px) {
  .st-key-runs [data-testid=stHorizontalBlock] { flex-wrap: wrap; }
  .st-key-runs [data-testid=stHorizontalBlock] > :last-child { width: 100%%;
    padding-left: calc(BOX + .8rem); }
  .run { grid-template-columns: repeat(auto-fill, minmax(7rem, 1fr)); gap: .2rem .8rem; }
  .run.head { display: none; }
  .run .number { text-align: left; }
  .run .label { display: block; white-space: normal; }
}
</style>""".replace("BOX", BOX)


def style(look: Palette, with_baseline: bool) -> str:
    """Return the style of the rows: a table with a header, on a phone a label beside each number.
    There is a column for the baseline only if `with_baseline`."""
    width, columns = ("34rem", f"{COLUMNS} minmax(0, 1fr)") if with_baseline else ("27rem", COLUMNS)
    colours = {
        "grid": look.grid,
        "muted": look.muted,
        "link": look.runs[0],
        "warning": look.warning,
        "failed": look.failed,
    }
    return STYLE % {**colours, "width": width, "columns": columns}


def head(with_baseline: bool) -> str:
    """Return the header above the numbers, as HTML."""
    cells = "".join(f'<div class="number">{escape(label)}</div>' for label in NUMBERS)
    last = f"<div>{AGAINST}</div>" * with_baseline
    cells = f"<div>{STARTED}</div>{cells}{last}"
    return f'<div class="run head" aria-hidden="true">{cells}</div>'


def about(run: RunRow) -> str:
    """Return the line below a run's name. Its texts are from users and servers, and are never
    treated as markup."""
    return f'<div class="about">{_state(run)}{_warnings(run)}{escape(_facts(run))}</div>'


def _state(run: RunRow) -> str:
    failed, good = run.headline.get("failed"), run.headline.get("ok")
    if run.status == "done" and failed and not good:
        return '<span class="state failed">no request succeeded</span>'
    if run.status == "done":
        return ""
    of_run = " failed" if run.status == "failed" else ""
    return f'<span class="state{of_run}">{escape(run.status)}</span>'


def _warnings(run: RunRow) -> str:
    titles = run.headline.get("warnings", [])
    if not titles:
        return ""
    listed = escape("; ".join(titles), quote=True)
    return f'<span class="state warned" title="{listed}">{many(len(titles), "warning")}</span>'


def numbers(run: RunRow, verdict: BaselineVerdict | None) -> str:
    """Return when a run started, its numbers, and how it compares with its baseline."""
    cells = [_labelled_html(STARTED, to_minute(run.began), "when")]
    for label, (name, unit) in NUMBERS.items():
        cells.append(_labelled_html(label, escape(show(run.headline.get(name), unit)), "number"))
    if verdict is not None:
        cells.append(_labelled_html(AGAINST, _verdict_text(verdict), "against"))
    return f'<div class="run">{"".join(cells)}</div>'


def _facts(run: RunRow) -> str:
    """What the name does not contain: server, model, mode, who started it, tags and note."""
    server = server_text(run.backend, run.server.get("address"))
    facts = (server, run.headline.get("via"), run.model, run.mode)
    described = [fact for fact in facts if fact and fact.rpartition("/")[2] not in run.name]
    tags = (f"#{tag}" for tag in run.tags)
    by = f"by {run.started_by}" if run.started_by else ""
    return " · ".join(
        filter(None, [*described, by, *tags, shorten(run.note, NOTE, placeholder=" …")])
    )


def _labelled_html(label: str, html: str, kind: str) -> str:
    return f'<div class="{kind}"><span class="label">{escape(label)}</span>{html}</div>'


def _verdict_text(verdict: BaselineVerdict) -> str:
    notes = (decided_by(verdict), "different server" if verdict.differs else "")
    small = "".join(f"<small>{escape(note)}</small>" for note in notes if note)
    return f"{escape(unbroken(short(verdict)))}{small}"
