"""What all configs have in common: of a run, of an engine, of a study."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

STORED = {"stored": True}  # the context of a config that was checked when it was asked for


class BaseConfig(BaseModel):
    """A frozen value that knows all its fields. Each is declared with `about.field`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_bool(cls, value: Any, info: ValidationInfo) -> Any:
        """A number is not true or false, which pydantic would take for 1 and 0."""
        annotation = cls.model_fields[info.field_name or ""].annotation
        if isinstance(value, bool) and annotation in (int, float, int | None, float | None):
            raise ValueError("must be a number, not true or false")
        return value
