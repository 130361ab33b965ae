"""What an engine is asked to be: one value for every engine, the form, the API, the database.

Each engine reads what it knows; its file says how it becomes a command. It never holds a key.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from services.ask.config import made, no_truth
from services.base.redact import holds_key

ENGINE_NAMES = ("vllm", "sglang", "llamacpp", "ray")

EngineName = Literal["vllm", "sglang", "llamacpp", "ray"]
Executor = Literal["auto", "mp", "ray", "external_launcher"]
Dtype = Literal["auto", "bfloat16", "float16", "float32"]
MOST_RANKS = 64
SHORTENED = ("--api-key", "--admin-api-key", "--hf-token")  # argparse takes "--api-k" for it
SECRET = re.compile(
    r"passw|passphrase|secret|credential|keyfile-p|(api|access|auth|private)-?key$|token$", re.I
)
NAMES = re.compile(r"""["']([\w-]+)["']\s*:""")  # in a value that is JSON


class EngineConfig(BaseModel):
    """One engine. Lengths in tokens, shares from 0 to 1, times in seconds; None: as the engine
    itself would have it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    engine: EngineName = Field("vllm", description="Which engine")
    model: str = Field(
        "", max_length=300, description="A folder or a name; empty: the model that comes along"
    )
    tp: int = Field(
        1, ge=1, le=MOST_RANKS, description="Tensor parallel: devices a layer is cut in"
    )
    pp: int = Field(1, ge=1, le=MOST_RANKS, description="Pipeline parallel: stages of layers")
    dp: int = Field(1, ge=1, le=MOST_RANKS, description="Data parallel: replicas of the model")
    nodes: int = Field(1, ge=1, le=MOST_RANKS, description="Machines it is spread over")
    executor: Executor = Field("auto", description="How its processes are started")
    dtype: Dtype = Field("auto", description="Number format of the weights")
    max_model_len: int | None = Field(
        None, ge=16, le=10_000_000, description="Most tokens of a prompt and its answer"
    )
    max_seqs: int | None = Field(None, ge=1, le=100_000, description="Most requests at once")
    max_batched_tokens: int | None = Field(
        None, ge=1, le=10_000_000, description="Most tokens in one step"
    )
    gpu_memory_share: float | None = Field(
        None, gt=0, le=1, description="Share of each GPU's memory that it may take"
    )
    chunked_prefill: bool | None = Field(
        None, description="Cut long prompts into chunks, so that others go on meanwhile"
    )
    chunk_tokens: int | None = Field(
        None, ge=1, le=10_000_000, description="Tokens of such a chunk"
    )
    eager: bool = Field(
        False, description="No CUDA graphs, no compiling: starts sooner, runs slower"
    )
    quantization: str = Field("", max_length=60, description="Quantisation; empty: the model's own")
    dummy_weights: bool = Field(False, description="Random weights: speed without a download")
    extra: str = Field("", max_length=4000, description="Further arguments, as in a shell")
    start_timeout_s: float = Field(
        600.0, ge=1, le=86_400, description="Most seconds until it answers a request"
    )

    @property
    def ranks(self) -> int:
        """Devices that it takes on all nodes together."""
        return self.tp * self.pp * self.dp

    @property
    def extra_arguments(self) -> list[str]:
        return shlex.split(self.extra)

    @field_validator("*", mode="before")
    @classmethod
    def _truth_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        return no_truth(cls, value, info)

    @field_validator("model", "quantization", "extra")
    @classmethod
    def _no_nul(cls, text: str) -> str:
        if "\0" in text:  # no argument of a command can hold it
            raise ValueError("holds a NUL character")
        return text

    @field_validator("model", "quantization")
    @classmethod
    def _no_argument(cls, text: str) -> str:
        if text.lstrip().startswith("-"):  # not said again: it may hold a key
            raise ValueError(
                "may not begin with -: the engine would read it as an argument. Further arguments "
                "go into extra"
            )
        return text

    @field_validator("extra")
    @classmethod
    def _splits(cls, text: str) -> str:
        try:
            words = shlex.split(text)
        except ValueError:
            raise ValueError("hold a quote that is not closed") from None
        if "--" in words:
            raise ValueError(
                "may not contain a bare --: the engine would ignore all arguments after it, such "
                "as the address that Paceline gives it"
            )
        if any(map(_is_secret, words)) or holds_key(_values(words)):
            raise ValueError("may hold no key, token or password: put those into the environment")
        return text.strip()


def parse_engine(values: Mapping[str, Any]) -> EngineConfig:
    """Make an EngineConfig of what a form, a command line or a request body says.

    Raises:
        InvalidConfig: with a sentence for each field that is wrong.
    """
    return made(EngineConfig, values)


def _is_secret(word: str) -> bool:
    """Whether a word is an argument whose value is a key, or holds one by name."""
    name, _, value = word.partition("=") if word.startswith("-") else ("", "", word)
    said = [each.replace("_", "-") for each in (name, *NAMES.findall(value))]
    short = len(name) > 4 and any(each.startswith(said[0]) for each in SHORTENED)
    return short or any(map(SECRET.search, said))


def _values(words: list[str]) -> str:
    """The words without the names of arguments: "--hf-overrides" looks like a key."""
    return " ".join(word.partition("=")[2] if word.startswith("--") else word for word in words)


def parallel_label(config: EngineConfig) -> str:
    """Return how it is parallel: "TP 2", "TP 4 · PP 2", "TP 1" where it is not."""
    sizes = (("TP", config.tp), ("PP", config.pp), ("DP", config.dp))
    return " · ".join(f"{name} {size}" for name, size in sizes if size > 1) or "TP 1"
