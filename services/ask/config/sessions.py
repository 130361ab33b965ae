"""Sessions: conversations of several turns, each sent when the previous answer has ended."""

from __future__ import annotations

from typing import Literal

from services.ask.about import About, field
from services.ask.base_config import BaseConfig

History = Literal["recorded", "answered"]
PLAYED = ("file", "synthetic")  # workloads that have sessions


class SessionFields(BaseConfig):
    """The turns of sessions, and what is sent with them."""

    turns: int | None = field(
        None,
        About(
            "Turns per session",
            "Synthetic: number of turns in each session, with input_tokens tokens per user "
            "message; file: at most this many turns of each conversation. A turn is sent when the "
            "previous answer has ended. Empty: synthetic 1, file all",
            section="prompts",
            empty="1, or as in the file",
            read_by=PLAYED,
            varied=True,
        ),
        ge=1,
        le=1000,
    )
    turn_by_turn: bool = field(
        False,
        About(
            "Messages turn by turn",
            "File: play the messages of a row as a session, with a request for each user message, "
            "instead of sending them as one request",
            section="prompts",
            read_by=("file",),
        ),
    )
    history: History = field(
        "recorded",
        About(
            "History",
            "Which answers later turns send as history: recorded (from the file; synthetic: "
            "made-up text of max_tokens tokens), the same for every server; or answered, those "
            "that this server gave",
            section="prompts",
            read_by=PLAYED,
            varied=True,
        ),
    )
    turn_delay_s: float | None = field(
        None,
        About(
            "Turn delay",
            "Time between an answer and the next turn of its session, in seconds; empty: as "
            "recorded in the file, otherwise none",
            section="prompts",
            unit="s",
            step=0.5,
            empty="as in the file, or none",
            read_by=PLAYED,
            varied=True,
        ),
        ge=0,
        le=3600,
    )
    turn_delay_scale: float = field(
        1.0,
        About(
            "Scale of recorded delays",
            "File: recorded delays between turns are multiplied by this",
            section="prompts",
            step=0.1,
            read_by=("file",),
            ignored=lambda config: "" if config.turn_delay_s is None else "with turn_delay_s",
            varied=True,
        ),
        ge=0,
        le=100,
    )
