"""Runs, comparisons and backends as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from services.analysis import client_health, figures, nodes
from services.analysis.compare import Candidate, Comparison
from services.analysis.compare.baseline import Baseline
from services.analysis.compare.baseline_verdict import BaselineVerdict, brief
from services.analysis.compare.candidate import labels_of, row_of
from services.analysis.compare.diagnosed import Named, diagnosed
from services.analysis.thresholds import ThresholdResult
from services.ask import backends, modes
from services.ask.backends import BACKENDS
from services.ask.flag import typed
from services.ask.measurement import Run
from services.ask.remedy import of_run
from services.ask.saved_server import SavedServer
from services.base.units import many, seconds, show
from services.report import run_facts, tables
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
    "scheduled_ttft_s_median",
    "tpot_s_median",
    "e2e_s_median",
    "scheduled_s_median",
    "e2e_s_mean",
    "e2e_s_sd",
    "total_e2e_s",
    "session_s_n",
    "session_s_median",
    "retry_wait_s_median",
    "output_tokens",
    "cost_usd",
)
FROM_DUE = ("scheduled_ttft_s_median", "scheduled_s_median")  # shown in an open loop
IF_ANY = ("session_s_n", "session_s_median", "retry_wait_s_median")
NO_VERDICTS: Mapping[int, BaselineVerdict] = {}


def run_text(candidate: Candidate) -> str:
    """Describe a run: its status, its numbers, its diagnostics."""
    run, row = candidate.run, row_of(candidate)
    lines = [" · ".join(filter(None, (f"Run {run.id}", run.name, run.through, run.status)))]
    if run.error:
        lines.append(run.error)
    shown = [name for name in SHOWN if _is_shown(name, row, run)]
    lines += [_figure(name, row) for name in modes.sort_metrics(shown, run.config)]
    lines += [tables.steady_sentence(steady)] if (steady := candidate.summary.steady) else []
    lines += filter(None, [modes.wait_note(run.config, candidate.summary.ok)])
    lines += [f"  failed, {name:<26}{n:>16,}" for name, n in candidate.summary.errors.items()]
    classes = tables.classes(candidate)
    lines += [text_of(classes), classes.note] if classes.rows else []
    for part in (tables.prefix_cache(candidate), tables.ttft_phases(candidate)):
        lines += [text_of(part), part.note] if part.rows else []
    table = stated.table(candidate)
    lines += ["", text_of(table), table.note, ""] if table.rows else []
    attainment, source = candidate.summary.attainment, candidate.summary.cost_source
    lines += [attainment.sentence] if attainment else []
    lines += [f"Cost: {source}."] if source else []
    lines += filter(None, [client_health.sentence(candidate)])
    by_node = nodes.table(candidate)
    lines += ["", text_of(by_node), by_node.note, ""] if by_node.rows else []
    if (remedy := of_run(run, candidate.measurements)) is not None:
        lines.append(_advice(asdict(remedy)).strip())
    lines += _diagnostics((each, "") for each, _ in diagnosed([candidate], ()))
    return "\n".join(lines)


def _is_shown(name: str, row: Mapping[str, Any], run: Run) -> bool:
    if name in FROM_DUE:
        return modes.MODES[run.config.mode].loop == "open" and row.get(name) is not None
    return name not in IF_ANY or bool(row.get(name))


def _figure(name: str, row: Mapping[str, Any]) -> str:
    label, unit = figures.figure_name(name)
    return f"  {label:<34}{show(row.get(name), tables.unit_beside(unit, label)):>16}"


def list_text(
    rows: Sequence[Any],
    narrowed: bool = False,
    against: Mapping[int, BaselineVerdict] = NO_VERDICTS,
) -> str:
    """List stored runs, one per line, with their baseline verdicts if any run has one. `narrowed`:
    the list is filtered."""
    if not rows:
        return "No run matches." if narrowed else "There are no runs yet."
    verdicts = {run_id: brief(verdict) for run_id, verdict in against.items()}
    extra = ["vs baseline"] * bool(verdicts)
    warned = ["warnings"] * any(row.headline.get("warnings") for row in rows)
    measures = ["tokens/s", "TTFT", "E2E", "failed", *warned]
    return table(
        ["run", "name", "status", *extra, "created", "model", *measures],
        [
            [
                str(row.id),
                cut(row.name),
                row.status,
                *[verdicts.get(row.id, "") for _ in extra],
                minute(row.created_at),
                " ".join(filter(None, (cut(row.model), row.headline.get("via")))),
                show(row.headline.get("output_tokens_per_s"), ""),
                show(row.headline.get("ttft_s_median"), "s"),
                show(row.headline.get("e2e_s_median"), "s"),
                show(row.headline.get("failed"), "count"),
                *[str(len(row.headline.get("warnings", ())) or "") for _ in warned],
            ]
            for row in rows
        ],
    )


def comparison_text(comparison: Comparison) -> str:
    """Compare runs: verdicts, diagnostics, measures, and what differs."""
    candidates = (comparison.baseline, *comparison.others)
    labels = labels_of(candidates)
    parts = [verdict.sentence for verdict in comparison.verdicts]
    parts += _diagnostics(diagnosed(candidates, comparison.warnings))
    sections = (tables.measures(comparison, labels), run_facts.differences(comparison))
    parts += [text_of(each) for each in sections if each.rows]
    parts += filter(None, [tables.basis_note(candidates).strip()])
    return "\n\n".join(parts)


def _diagnostics(named: Iterable[Named]) -> list[str]:
    return [
        f"{each.level}: {f'{runs}: ' * bool(runs)}{each.title}. {each.sentence}"
        for each, runs in named
    ]


def thresholds_text(results: Sequence[ThresholdResult]) -> str:
    """List threshold results, one per line."""
    return "\n".join(
        f"{'✓ passed' if result.passed else '✗ failed'}: {result.sentence}" for result in results
    )


def share_text(share: Any) -> str:
    """Describe a share link: its address, and when it expires."""
    texts = " It includes prompts and answers." if share.texts else ""
    until = f"until {minute(share.expires_at)}" if share.expires_at else "until it is revoked"
    return (
        f"{share.path}\nOpen it at the address of this Paceline, for example "
        f"http://127.0.0.1:8501{share.path}, {until}.{texts}"
    )


def shares_text(shares: Sequence[Any]) -> str:
    """List share links, one per line."""
    if not shares:
        return "There are no shared pages."
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


def tokens_text(tokens: Sequence[Any]) -> str:
    """List tokens for the API, one per line."""
    if not tokens:
        return "There are no tokens."
    return table(
        ["token", "name", "role", "created", "until"],
        [
            [
                str(token.id),
                cut(token.name),
                token.role,
                minute(token.created_at),
                minute(token.expires_at),
            ]
            for token in tokens
        ],
    )


def backend_rows(
    names: Sequence[str], env: Mapping[str, str], probes: Mapping[str, Probe] | None
) -> list[dict[str, Any]]:
    """Return backends as JSON-ready rows; for a key, only whether it is set."""
    rows: list[dict[str, Any]] = []
    for name in names:
        backend = backends.BACKENDS[name]
        row = {
            "name": name,
            "label": backend.label,
            "address": backend_address(backend, env),
            "key_env": backend.key_env,
            "key_set": backends.has_key(backend, env),
        }
        rows.append(row | ({"test": asdict(probes[name])} if probes else {}))
    return rows


def backend_address(backend: backends.Backend, env: Mapping[str, str]) -> str:
    """Return a backend's address, or a text if it has none."""
    if backend.kind == "embedded":
        return "started by Paceline when a run needs it"
    if backend.kind == "litellm":
        return "address chosen by LiteLLM"
    try:
        return backends.address(backend, env)
    except backends.BackendProblem:
        return f"address not set ({backend.url_env})"


def backends_text(rows: Sequence[dict[str, Any]]) -> str:
    """List backends, one per line, with test results below."""
    keys = {None: "not needed", True: "set", False: "not set"}
    lines = [[row["name"], row["label"], row["address"], keys[row["key_set"]]] for row in rows]
    text = table(["name", "backend", "address", "key"], lines)
    return "\n".join([text, *(_tested(row) for row in rows if "test" in row)])


def baselines_text(baselines: Sequence[Baseline]) -> str:
    """List baselines, one per line."""
    if not baselines:
        return "There is no baseline. Set one with `baseline set RUN`."
    lines = [[f"{row.kind} {row.value}", str(row.run_id), minute(row.set_at)] for row in baselines]
    return table(["baseline of", "run", "set at"], lines)


def servers_text(servers: Sequence[SavedServer]) -> str:
    """List saved servers, one per line."""
    if not servers:
        return "No server is saved. Save one with `server save NAME --backend URL`."
    lines = [
        [
            server.name,
            BACKENDS[server.fields["backend"]].label,
            server.fields["base_url"] or "backend's own",
            server.fields["model"] or "first listed",
            server.fields["key_env"] or "backend's own",
        ]
        for server in servers
    ]
    return table(["name", "backend", "address", "model", "key variable"], lines)


def _advice(remedy: Mapping[str, Any] | None) -> str:
    """Return a remedy with its command-line options; "" if there is none."""
    if not remedy:
        return ""
    options = typed(remedy["changes"])
    return f" {remedy['label']}" + (f": {options}" if options else ".")


def _tested(row: dict[str, Any]) -> str:
    test = row["test"]
    if test["problem"]:
        return f"{row['name']}: {test['problem']}{_advice(test['remedy'])}"
    if test["reachable"] is None:
        return f"{row['name']}: not tested, because that would cost money."
    parts = [
        many(len(test["models"]), "model") if test["lists"] is not False else "no list of models"
    ]
    if test["streams"] is None:
        parts.append("streaming not tested, because no model is chosen")
    else:
        parts.append("streams" if test["streams"] else "does not stream")
        parts.append("reports usage" if test["reports_usage"] else "reports no usage")
    if test["rtt_s"] is not None:
        parts.append(f"round trip {seconds(test['rtt_s'])}")
    return f"{row['name']}: {', '.join(parts)}."
