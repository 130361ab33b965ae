"""The progress of sending a run to a receiver of spans. It does not import protobuf, because the
database and the pages use it, too."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from services.base.units import many

SpanStatus = Literal["waiting", "sent", "failed"]
STATUSES: tuple[SpanStatus, ...] = ("waiting", "sent", "failed")


@dataclass(frozen=True, slots=True)
class Position:
    """A request of a run; requests are sent to the receiver in this order."""

    repeat: int
    index: int


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a receiver (its host and port) has accepted of a run: so many requests, the last of them
    `after`."""

    receiver: str = ""
    requests: int = 0
    after: Position | None = None


@dataclass(frozen=True, slots=True)
class SpanExport:
    """A run that is to be exported or was; `error`: why it was not, or what was rejected."""

    status: SpanStatus
    delivered: Delivered
    error: str | None
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class RepeatCount:
    """The requests of a repeat together; `last_s`: when the last one ended, in seconds since it
    began."""

    repeat: int
    requests: int
    failed: int
    last_s: float | None = None


def sentence(export: SpanExport) -> str:
    """Return the progress of a run's export, in a sentence or two."""
    delivered = export.delivered
    sent = f"{many(delivered.requests, 'request')} sent as spans to {delivered.receiver}"
    if export.status == "failed":
        return f"Not sent as spans: {export.error}"
    if export.status == "sent":
        return f"{sent}. {export.error or ''}".rstrip()
    if delivered.requests:
        return (
            f"{sent} so far. The rest will be sent when no run is being measured on that machine."
        )
    return "It will be sent as spans when no run is being measured on that machine."
