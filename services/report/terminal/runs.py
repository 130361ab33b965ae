"""Runs, comparisons and backends as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from services.analysis import client_health, figures
from services.analysis.compare import Candidate, Comparison
from services.analysis.compare.baseline_verdict import BaselineVerdict, brief
from services.analysis.compare.rows import apart, row_of
from services.analysis.diagnostics import Diagnostic, diagnostics
from services.analysis.thresholds import ThresholdResult
from services.ask import backends, modes
from services.ask.flag import typed
from services.ask.remedy import of_run
from services.base.units import many, seconds, show
from services.report import tables
from services.report.imports import stated
from services.report.terminal.text import cut, minute, table, text_of
from services.servers.probe import Probe

SHOWN = (  # of summary_row
    "sent",
    "ok",
    "failed",
    "cancelled",
    "output_tokens_per_s",
    "requests_per_s",
    "tokens_per_s_median",
    "ttft_s_median",
    "tpot_s_median",
    "e2e_s_median",
    "e2e_s_mean",
    "e2e_s_sd",
    "total_e2e_s",
    "output_tokens",
    "cost_usd",
)
NOBODY: Mapping[int, BaselineVerdict] = {}


def run_text(candidate: Candidate) -> str:
    """One run: how it ended, its numbers, reasons to doubt them."""
    run, row = candidate.run, row_of(candidate)
    lines = [" · ".join(filter(None, (f"Run {run.id}", run.name, run.through, run.status)))]
    if run.error:
        lines.append(run.error)
    lines += [_figure(name, row) for name in modes.leading(SHOWN, run.config)]
    lines += filter(None, [modes.counted(run.config, candidate.summary.ok)])
    lines += [f"  failed, {name:<26}{n:>16,}" for name, n in candidate.summary.errors.items()]
    classes = tables.classes(candidate)
    lines += [text_of(classes), classes.note] if classes.rows else []
    told = stated.table(candidate)
    lines += ["", text_of(told), told.note, ""] if told.rows else []
    attainment, source = candidate.summary.attainment, candidate.summary.cost_source
    lines += [attainment.sentence] if attainment else []
    lines += [f"Cost: {source}."] if source else []
    lines += filter(None, [client_health.sentence(candidate)])
    if (may_help := of_run(run, candidate.measurements)) is not None:
        lines.append(_advice(asdict(may_help)).strip())
    found = diagnostics(run, candidate.measurements, candidate.summary, candidate.samples)
    lines += _diagnostics(found)
    return "\n".join(lines)


def _figure(name: str, row: Mapping[str, Any]) -> str:
    label, unit = figures.named(name)
    return f"  {label:<34}{show(row.get(name), tables.unsaid(unit, label)):>16}"


def list_text(
    rows: Sequence[Any], narrowed: bool = False, against: Mapping[int, BaselineVerdict] = NOBODY
) -> str:
    """Stored runs, a line each, with how they stand to their baseline where one of them has any;
    `narrowed`: not all of them were asked for."""
    if not rows:
        return "No run matches." if narrowed else "No run is stored."
    said = {run_id: brief(verdict) for run_id, verdict in against.items()}
    extra = ["vs baseline"] * bool(said)
    return table(
        ["run", "name", "status", *extra, "created", "model", "tokens/s", "TTFT", "E2E", "failed"],
        [
            [
                str(row.id),
                cut(row.name),
                row.status,
                *[said.get(row.id, "") for _ in extra],
                minute(row.created_at),
                " ".join(filter(None, (cut(row.model), row.headline.get("via")))),
                show(row.headline.get("output_tokens_per_s"), ""),
                show(row.headline.get("ttft_s_median"), "s"),
                show(row.headline.get("e2e_s_median"), "s"),
                show(row.headline.get("failed"), "count"),
            ]
            for row in rows
        ],
    )


def comparison_text(comparison: Comparison) -> str:
    """Runs side by side: verdicts in words, the measures, what differs, what is unfair."""
    labels = tables.labels_of(apart((comparison.baseline, *comparison.others)))
    parts = [verdict.sentence for verdict in comparison.verdicts]
    parts += _diagnostics(comparison.warnings)
    found = (tables.measures(comparison, labels), tables.differences(comparison))
    parts += [text_of(each) for each in found if each.rows]
    parts += filter(None, [tables.judged_by((comparison.baseline, *comparison.others)).strip()])
    return "\n\n".join(parts)


def _diagnostics(found: Iterable[Diagnostic]) -> list[str]:
    return [f"{each.level}: {each.title}. {each.sentence}" for each in found]


def thresholds_text(found: Sequence[ThresholdResult]) -> str:
    """Conditions on a run, a line each."""
    return "\n".join(f"{'✓ passed' if one.passed else '✗ failed'}: {one.sentence}" for one in found)


def share_text(share: Any) -> str:
    """A page that was shared: where it is, how long."""
    texts = " Prompts and answers are on it." if share.texts else ""
    until = f"until {minute(share.expires_at)}" if share.expires_at else "until it is revoked"
    return (
        f"{share.path}\nOpen it at the address of this Paceline, for example "
        f"http://127.0.0.1:8501{share.path}, {until}.{texts}"
    )


def shares_text(shares: Sequence[Any]) -> str:
    """What is shared, a line each."""
    if not shares:
        return "Nothing is shared."
    return table(
        ["page", "title", "runs", "created", "until", "prompts"],
        [
            [
                share.path,
                cut(share.title),
                ",".join(map(str, share.run_ids)),
                minute(share.created_at),
                minute(share.expires_at) if share.expires_at else "revoked",
                "yes" if share.texts else "no",
            ]
            for share in shares
        ],
    )


def backend_rows(
    names: Sequence[str], env: Mapping[str, str], probes: Mapping[str, Probe] | None
) -> list[dict[str, Any]]:
    """Backends as JSON-ready rows; a key is only ever set or not."""
    rows: list[dict[str, Any]] = []
    for name in names:
        backend = backends.BACKENDS[name]
        row = {
            "name": name,
            "label": backend.label,
            "address": where(backend, env),
            "key_env": backend.key_env,
            "key_set": backends.has_key(backend, env),
        }
        rows.append(row | ({"test": asdict(probes[name])} if probes else {}))
    return rows


def where(backend: backends.Backend, env: Mapping[str, str]) -> str:
    """Where a backend is, in words for those that have no address of their own."""
    if backend.kind == "embedded":
        return "started by Paceline when a run needs it"
    if backend.kind == "litellm":
        return "as LiteLLM knows the provider"
    try:
        return backends.address(backend, env)
    except backends.BackendProblem:
        return f"not set ({backend.url_env})"


def backends_text(rows: Sequence[dict[str, Any]]) -> str:
    """Backends, a line each; a test's finding below its line."""
    keys = {None: "needs none", True: "set", False: "not set"}
    lines = [[row["name"], row["label"], row["address"], keys[row["key_set"]]] for row in rows]
    text = table(["name", "backend", "address", "key"], lines)
    return "\n".join([text, *(_tested(row) for row in rows if "test" in row)])


def _advice(remedy: Mapping[str, Any] | None) -> str:
    """What may help, as it is typed; "" where nothing is known."""
    if not remedy:
        return ""
    said = typed(remedy["changes"])
    return f" {remedy['words']}" + (f": {said}" if said else ".")


def _tested(row: dict[str, Any]) -> str:
    test = row["test"]
    if test["problem"]:
        return f"{row['name']}: {test['problem']}{_advice(test['remedy'])}"
    if test["reachable"] is None:
        return f"{row['name']}: not tested, because that would cost money."
    says = [
        many(len(test["models"]), "model") if test["lists"] is not False else "no list of models"
    ]
    if test["streams"] is None:
        says.append("streaming not tested, because no model is chosen")
    else:
        says.append("streams" if test["streams"] else "does not stream")
        says.append("reports usage" if test["reports_usage"] else "reports no usage")
    if test["rtt_s"] is not None:
        says.append(f"round trip {seconds(test['rtt_s'])}")
    return f"{row['name']}: {', '.join(says)}."
