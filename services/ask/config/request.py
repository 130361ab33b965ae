"""The fields of a request apart from its prompt: length, sampling, headers, TLS."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import ValidationInfo, field_validator

from services.ask import request_options
from services.ask.about import About, field
from services.ask.base_config import STORED, BaseConfig
from services.ask.config.prompts import MAX_TOKENS, WIDEST, Distribution

Omittable = Literal["max_tokens", "temperature", "top_p", "stream_options"]
LengthName = Literal["max_tokens", "max_completion_tokens"]
DialectName = Literal["chat", "completions", "responses", "anthropic", "ollama"]


KEY_VARIABLE = r"[A-Za-z][A-Za-z0-9_]{0,90}_API_KEY"


def own_lengths(config: Any) -> str:
    """Return why answers have lengths of their own, or ""."""
    if config.workload == "trace":
        return "with workload trace, which has its own lengths of answers"
    if config.workload == "file" and config.prompt_max_tokens:
        return "with prompts that have their own lengths of answers"
    return ""


def each_has_own_length(config: Any) -> bool:
    """Return whether no answer has `max_tokens`; a limit of 0 in a file stands for it."""
    return config.workload == "trace" or all(config.prompt_max_tokens)


class RequestFields(BaseConfig):
    """The answers and the request."""

    max_tokens: int = field(
        128,
        About(
            "Max tokens",
            "Maximum number of tokens in an answer",
            section="answers",
            ignored=lambda config: own_lengths(config) if each_has_own_length(config) else "",
            varied=True,
        ),
        ge=1,
        le=MAX_TOKENS,
    )
    output_distribution: Distribution = field(
        "fixed",
        About(
            "Answer lengths",
            "Distribution of answer lengths, with max_tokens as its mean: fixed, uniform, normal "
            "or lognormal; answers may end earlier unless ignore_eos is set",
            section="answers",
            ignored=own_lengths,
            varied=True,
        ),
    )
    output_spread: float = field(
        0.5,
        About(
            "Spread of answer lengths",
            "Half the range of a uniform distribution, otherwise the standard deviation, as a "
            "share of the mean; not used with fixed lengths",
            section="answers",
            step=0.1,
            ignored=lambda config: (
                own_lengths(config)
                or ("with a fixed output_distribution" * (config.output_distribution == "fixed"))
            ),
            varied=True,
        ),
        gt=0,
        le=WIDEST,
    )
    temperature: float | None = field(
        None,
        About(
            "Temperature",
            "Sampling temperature; empty: 0, and not sent to OpenAI and Anthropic",
            section="answers",
            step=0.1,
            empty="default",
            varied=True,
        ),
        ge=0,
        le=2,
    )
    top_p: float | None = field(
        None,
        About(
            "Top-p",
            "Nucleus sampling; empty: not sent",
            section="answers",
            step=0.05,
            empty="not sent",
            varied=True,
        ),
        gt=0,
        le=1,
    )
    seed: int | None = field(
        None,
        About("Seed", "Random seed, if the server supports one", section="answers"),
        ge=0,
        le=2**31 - 1,
    )
    ignore_eos: bool = field(
        False,
        About(
            "Ignore end of text (ignore_eos)",
            "Generate max_tokens tokens even if the model would stop earlier (if the engine "
            "supports it)",
            varied=True,
        ),
    )
    min_tokens: int | None = field(
        None,
        About(
            "Min tokens",
            "Minimum number of tokens in an answer, for vLLM and SGLang; never more than its "
            "max_tokens. llama.cpp has no such field: use ignore_eos there",
            empty="none",
            varied=True,
        ),
        ge=1,
        le=MAX_TOKENS,
    )
    dialect: DialectName | None = field(
        None,
        About(
            "API format",
            "How requests and answers are written: chat (/chat/completions), completions "
            "(/completions, without a chat template), responses (/responses), anthropic "
            "(/messages) or ollama (/api/chat); empty: from the address, otherwise the backend's "
            "default",
            "client",
            "request",
            empty="backend's own",
            varied=True,
        ),
    )
    omit: tuple[Omittable, ...] = field(
        (),
        About(
            "Fields to omit",
            'Fields not to send because the server rejects them: "max_tokens", '
            '"temperature", "top_p", "stream_options"',
            "client",
            "request",
            each="FIELD",
        ),
    )
    max_tokens_field: LengthName | None = field(
        None,
        About(
            "Token limit field",
            'Name of the field for the token limit; empty: "max_completion_tokens" '
            'for OpenAI, "max_tokens" otherwise',
            "client",
            "request",
        ),
    )
    extra_body: dict[str, Any] = field(
        {},
        About(
            "Extra fields (JSON)",
            'Extra fields in every request, as a JSON object: {"min_p": 0.1}',
            section="request",
            may_hold_key=True,
        ),
    )
    headers: dict[str, str] = field(
        {},
        About(
            "Extra headers",
            "Extra headers, Name: value; for a secret, use a variable: api-key: "
            "$PACELINE_URL_API_KEY",
            "client",
            "request",
            may_hold_key=True,
            each="NAME: VALUE",
        ),
    )
    key_env: str | None = field(
        None,
        About(
            "API key variable",
            "Environment variable with the API key, such as PROD_API_KEY; PROD_BASE_URL must name "
            "the server. Empty: the backend's own variable",
            "target",
            "request",
            empty="backend's own",
        ),
    )
    ca_file: str | None = field(
        None,
        About(
            "CA certificates (PEM file)",
            "PEM file of certificates to trust, on the machine that sends the requests",
            "client",
            "request",
        ),
        max_length=1000,
    )
    insecure_tls: bool = field(
        False,
        About(
            "Accept any certificate",
            "Accept any certificate, even a self-signed one: the server is not verified",
            "client",
            "request",
        ),
    )

    @field_validator("omit", mode="before")
    @classmethod
    def _omitted(cls, value: Any) -> Any:
        return request_options.split_names(value)

    @field_validator("extra_body", mode="before")
    @classmethod
    def _extra_fields(cls, value: Any, info: ValidationInfo) -> Any:
        return value if info.context is STORED else request_options.parse_fields(value)

    @field_validator("headers", mode="before")
    @classmethod
    def _extra_headers(cls, value: Any) -> Any:
        return request_options.parse_headers(value)

    @field_validator("key_env")
    @classmethod
    def _key_variable(cls, value: str | None) -> str | None:
        name = (value or "").strip()
        if name and not re.fullmatch(KEY_VARIABLE, name):  # not repeated: it may be a key
            raise ValueError("must be the name of a variable that ends in _API_KEY")
        return name or None

    @field_validator("ca_file")
    @classmethod
    def _file(cls, value: str | None) -> str | None:
        return (value or "").strip() or None
