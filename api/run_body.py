"""The fields of a run in a request body: of a new run, a candidate, a server or a study's cells."""

from __future__ import annotations

from typing import Any, Self

from pydantic import ModelWrapValidatorHandler, field_validator, model_validator

from services.ask.config import RunConfig
from services.ask.workloads.entries import limits_of, prompts_of


class RunBody(RunConfig):
    """The config of a run, whose prompts may also be entries of a prompt file: messages or
    conversations, each with its own maximum number of answer tokens."""

    @field_validator("prompts", mode="before")
    @classmethod
    def _entries(cls, value: Any) -> Any:
        return prompts_of(value) if isinstance(value, list) else value

    @model_validator(mode="before")
    @classmethod
    def _limits_of_entries(cls, data: Any) -> Any:
        if not isinstance(data, dict) or not isinstance(data.get("prompts"), list):
            return data
        limits = limits_of(data["prompts"])
        return {"prompt_max_tokens": limits} | data if any(limits) else data

    @model_validator(mode="wrap")
    @classmethod
    def _refuse_other_requests(cls, data: Any, parsed: ModelWrapValidatorHandler[Self]) -> Self:
        """Refuse a number of requests that a replay would replace by that of the rows."""
        new = parsed(data)
        number = data.get("requests") if isinstance(data, dict) else None
        usual = cls.model_fields["requests"].default
        if new.mode == "replay" and number not in (None, usual, new.requests):
            raise ValueError("requests: has no effect in a trace replay: each row is sent once.")
        return new
