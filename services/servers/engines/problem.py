"""What is raised where an engine cannot be started."""

from __future__ import annotations

from services.base.errors import Invalid


class EngineProblem(Invalid):
    """An engine that could not be started, in a sentence that says why and what to do."""
