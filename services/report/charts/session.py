"""One session before it starts: what each of its turns sends, in tokens."""

from __future__ import annotations

from typing import Any

from services.ask.config import RunConfig
from services.ask.plan_of_sessions import typical_session
from services.report import theme
from services.report.charts.live import framed

MAX_TURNS = 12  # to draw
HISTORY, SAID, ANSWER = "History", "New message", "Answer (at most)"


def session_spec(config: RunConfig, dark: bool = False) -> dict[str, Any] | None:
    """Return the chart of one session of a run, a bar for each turn; None if it has none.

    For sessions from a file, it is the first one with the median number of turns. Of more than 12
    turns, the first 12 are drawn, and the title says so.
    """
    session = typical_session(config)
    if session is None:
        return None
    look = theme.palette(dark)
    drawn = session[:MAX_TURNS]
    of = f", the first {len(drawn)} of {len(session)}" if len(session) > len(drawn) else ""
    rows = [row for number, turn in enumerate(drawn, 1) for row in _parts(number, turn)]
    y = {
        "field": "turn",
        "type": "ordinal",
        "title": f"Turn{of}",
        "axis": {"labelAngle": 0, "ticks": False},
    }
    colours = {HISTORY: look.queued, SAID: look.prefill, ANSWER: look.decode}
    colour = {
        "field": "part",
        "type": "nominal",
        "scale": {"domain": list(colours), "range": list(colours.values())},
        "legend": {"title": None, "orient": "bottom", "symbolType": "square"},
    }
    tooltip = [
        {"field": "turn", "type": "ordinal", "title": "Turn"},
        {"field": "part", "type": "nominal", "title": "Part"},
        {"field": "tokens", "type": "quantitative", "title": "Tokens (approx.)", "format": ",.0f"},
        {"field": "delay", "type": "nominal", "title": "Due"},
    ]
    x = {"field": "from", "type": "quantitative", "title": "Tokens (approx.)"}
    bars = {
        "mark": {"type": "bar", "height": {"band": 0.7}},
        "encoding": {"x": x, "x2": {"field": "to"}, "y": y, "color": colour, "tooltip": tooltip},
    }
    return framed([bars], rows, max(24 * len(drawn), 60), dark)


def _parts(number: int, turn: tuple[float, float, float, float]) -> list[dict[str, Any]]:
    """The rows of one turn: tokens of (history, message, answer), and its delay in seconds."""
    *lengths, delay_s = turn
    due = f"{delay_s:g} s after the previous answer" if number > 1 else "when the session begins"
    rows, at = [], 0.0
    for part, tokens in zip((HISTORY, SAID, ANSWER), lengths, strict=True):
        if tokens:
            row = {"from": at, "to": at + tokens, "tokens": tokens, "delay": due}
            rows.append({"turn": number, "part": part, **row})
        at += tokens
    return rows
