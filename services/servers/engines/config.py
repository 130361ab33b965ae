"""The configuration of an engine, the same for every engine, form, API and database.

Each engine's module turns the fields it supports into a command. A config never holds a key.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import field_validator

from services.ask.about import About, field
from services.ask.base_config import BaseConfig
from services.ask.problems import validate
from services.base.secret_patterns import holds_key, names_secret

EngineName = Literal["vllm", "sglang", "llamacpp", "ray"]
Executor = Literal["auto", "mp", "ray", "external_launcher"]
Dtype = Literal["auto", "bfloat16", "float16", "float32"]
MAX_RANKS = 64
SHORTENED = ("--api-key", "--admin-api-key", "--hf-token")  # argparse accepts "--api-k", too
NAMES = re.compile(r"""["']([\w-]+)["']\s*:""")  # in a JSON value


class EngineConfig(BaseConfig):
    """The config of one engine. Lengths in tokens, shares from 0 to 1, times in seconds; None: the
    engine's default."""

    engine: EngineName = field("vllm", About("Engine", "Which engine to start"))
    model: str = field(
        "",
        About(
            "Model",
            "Name or folder of a model; empty: the small model that ships with Paceline",
        ),
        max_length=300,
    )
    tp: int = field(
        1,
        About("Tensor parallel", "Tensor parallel: devices that each layer is split across"),
        ge=1,
        le=MAX_RANKS,
    )
    pp: int = field(
        1,
        About("Pipeline parallel", "Pipeline parallel: stages that the layers are split into"),
        ge=1,
        le=MAX_RANKS,
    )
    dp: int = field(
        1, About("Data parallel", "Data parallel: replicas of the model"), ge=1, le=MAX_RANKS
    )
    nodes: int = field(1, About("Nodes", "Number of machines it runs on"), ge=1, le=MAX_RANKS)
    executor: Executor = field("auto", About("Executor", "How its processes are started"))
    dtype: Dtype = field("auto", About("Data type", "Number format of the weights"))
    max_model_len: int | None = field(
        None,
        About("Max model length", "Maximum number of tokens in a prompt and its answer"),
        ge=16,
        le=10_000_000,
    )
    max_seqs: int | None = field(
        None, About("Max sequences", "Maximum number of concurrent requests"), ge=1, le=100_000
    )
    max_batched_tokens: int | None = field(
        None,
        About("Max batched tokens", "Maximum number of tokens in one step"),
        ge=1,
        le=10_000_000,
    )
    gpu_memory_share: float | None = field(
        None, About("GPU memory share", "Share of each GPU's memory that it may use"), gt=0, le=1
    )
    chunked_prefill: bool | None = field(
        None,
        About(
            "Chunked prefill",
            "Split long prompts into chunks, so that other requests can continue meanwhile",
        ),
    )
    chunk_tokens: int | None = field(
        None,
        About("Chunk size", "Tokens per chunk of a prompt", unit="tokens"),
        ge=1,
        le=10_000_000,
    )
    eager: bool = field(
        False, About("Eager mode", "No CUDA graphs, no compilation: starts sooner, runs slower")
    )
    quantization: str = field(
        "", About("Quantization", "Quantization method; empty: the model's own"), max_length=60
    )
    dummy_weights: bool = field(
        False, About("Random weights", "Random weights: measure speed without a download")
    )
    extra: str = field(
        "", About("Extra arguments", "Extra command-line arguments, as in a shell"), max_length=4000
    )
    start_timeout_s: float = field(
        600.0,
        About("Start timeout", "Maximum time until it answers a request, in seconds", unit="s"),
        ge=1,
        le=86_400,
    )

    @property
    def ranks(self) -> int:
        """Number of devices on all nodes together."""
        return self.tp * self.pp * self.dp

    @property
    def extra_arguments(self) -> list[str]:
        return shlex.split(self.extra)

    @field_validator("model", "quantization", "extra")
    @classmethod
    def _check_nul(cls, text: str) -> str:
        if "\0" in text:  # a command's arguments cannot contain it
            raise ValueError("contains a NUL character")
        return text

    @field_validator("model", "quantization")
    @classmethod
    def _check_dash(cls, text: str) -> str:
        if text.lstrip().startswith("-"):  # not quoted in the message: it may hold a key
            raise ValueError(
                "may not begin with -: the engine would read it as an argument. Put further "
                "arguments in extra"
            )
        return text

    @field_validator("extra")
    @classmethod
    def _check_extra(cls, text: str) -> str:
        try:
            arguments = shlex.split(text)
        except ValueError:
            raise ValueError("contain a quote that is not closed") from None
        if "--" in arguments:
            raise ValueError(
                "may not contain a bare --: the engine would ignore all arguments after it, such "
                "as the address that Paceline gives it"
            )
        if any(map(_is_secret, arguments)) or holds_key(_values(arguments)):
            raise ValueError(
                "must not contain a key, token or password: put those in the environment"
            )
        return text.strip()


def parse_engine(values: Mapping[str, Any]) -> EngineConfig:
    """Validate the values of a form, a command line or a request body.

    Raises:
        InvalidConfig: with a sentence for each invalid field.
    """
    return validate(EngineConfig, values)


def _is_secret(argument: str) -> bool:
    """Whether an argument's value is a key by its name, or contains one."""
    name, _, value = argument.partition("=") if argument.startswith("-") else ("", "", argument)
    names = [each.replace("_", "-") for each in (name, *NAMES.findall(value))]
    short = len(name) > 4 and any(each.startswith(names[0]) for each in SHORTENED)
    return short or any(names_secret(each, "argument") for each in names)


def _values(arguments: list[str]) -> str:
    """The words without the names of arguments: "--hf-overrides" looks like a key."""
    return " ".join(
        argument.partition("=")[2] if argument.startswith("--") else argument
        for argument in arguments
    )


def parallel_label(config: EngineConfig) -> str:
    """Return "TP 2", "TP 4 · PP 2", or "TP 1" for a single device."""
    sizes = (("TP", config.tp), ("PP", config.pp), ("DP", config.dp))
    return " · ".join(f"{name} {size}" for name, size in sizes if size > 1) or "TP 1"
