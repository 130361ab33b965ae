"""The content of one chunk of an answer, in any API format."""

from __future__ import annotations

from typing import NamedTuple

from services.wire.phases import Phases
from services.wire.tool_calls import CallPart
from services.wire.usage import Usage


class Chunk(NamedTuple):
    text: str = ""  # of the answer
    has_token: bool = False  # content, reasoning, a refusal, a tool call, audio or an image
    has_answer: bool = False  # the same without reasoning
    finish_reason: str | None = None
    usage: Usage | None = None
    phases: Phases | None = None  # with the last chunk, from servers that report them
    error: str | None = None
    ends: bool = False  # the last of its stream, like [DONE]
    whole: bool = False  # the complete answer, from a server that does not stream
    calls: tuple[CallPart, ...] = ()  # pieces of tool calls
    irregularity: str = ""  # one of `services.ask.irregularities`, where the chunk has no meaning

    @property
    def only_text(self) -> bool:
        """Whether it carries text and neither usage nor a finish_reason."""
        return bool(self.text) and self.finish_reason is None and self.usage is None
