"""The base class of all configs: of runs, engines and studies."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

STORED = {"stored": True}  # the context of a stored config, which was validated when it was created


class BaseConfig(BaseModel):
    """A frozen value that rejects unknown fields. Each field is declared with `about.field`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_bool(cls, value: Any, info: ValidationInfo) -> Any:
        """Reject booleans for numbers, which pydantic would convert to 1 and 0."""
        annotation = cls.model_fields[info.field_name or ""].annotation
        if isinstance(value, bool) and annotation in (int, float, int | None, float | None):
            raise ValueError("must be a number, not true or false")
        return value
