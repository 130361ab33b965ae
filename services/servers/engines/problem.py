"""The error of an engine that cannot be started."""

from __future__ import annotations

from services.base.errors import Invalid


class EngineProblem(Invalid):
    """An engine cannot be started; the message says why, and what to do."""
