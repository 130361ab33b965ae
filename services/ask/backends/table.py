"""The table of backends: names, addresses and environment variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from services.ask.backends.errors import BackendProblem
from services.ask.config import DialectName
from services.base.units import listed

ANY = "url"  # the backend that is any server with OpenAI's API

Kind = Literal["embedded", "http", "litellm"]


@dataclass(frozen=True, slots=True)
class Backend:
    """One entry of the table. `base_url` is the default; `*_env` name environment variables."""

    name: str
    label: str
    kind: Kind
    base_url: str | None = None
    url_env: str | None = None
    key_env: str | None = None
    model_env: str | None = None
    needs_key: bool = False
    start_hint: str = ""  # the command that starts it at its default address
    supports_ignore_eos: bool = False
    supports_min_tokens: bool = False
    dialect: DialectName = "chat"  # unless a run chooses another: see dialects.py
    dialects: tuple[DialectName, ...] = ()  # dialects that it offers; empty: any

    @property
    def header_env(self) -> str | None:
        """Prefix of the variables that a header may name; None if it may name none."""
        named = self.url_env or self.key_env
        if self.kind != "http" or named is None:
            return None
        return named.removesuffix("_BASE_URL").removesuffix("_API_KEY") + "_HEADER_"


def find(name: str) -> Backend:
    """Return the backend with this name.

    Raises:
        BackendProblem: there is none.
    """
    if name not in BACKENDS:
        raise BackendProblem(
            f"There is no backend {name[:80]!r}. Choose one of {listed(BACKENDS)}."
        )
    return BACKENDS[name]


def server_text(backend: str, address: str | None) -> str:
    """Return where a run was sent, for a line of text: its backend, or the host and port if that
    may be any server; "" if the run was imported."""
    if backend == ANY:
        return (urlsplit(address).netloc or address) if address else ""
    return backend if backend in BACKENDS else ""


def has_key(backend: Backend, env: Mapping[str, str]) -> bool | None:
    """Return whether the backend's key is set; None if it needs none."""
    return None if backend.key_env is None else bool(value_of(env, backend.key_env))


def value_of(env: Mapping[str, str], name: str | None) -> str:
    """Return the value of a variable, or "" if it is not set."""
    return env.get(name, "").strip() if name else ""


_ENTRIES = (
    Backend(
        name="embedded",
        label="Embedded llama.cpp",
        kind="embedded",
        supports_ignore_eos=True,
        dialects=("chat", "completions", "responses", "anthropic"),
    ),
    Backend(
        name="sglang",
        label="SGLang",
        kind="http",
        base_url="http://127.0.0.1:30010/v1",
        url_env="SGLANG_BASE_URL",
        key_env="SGLANG_API_KEY",
        model_env="SGLANG_MODEL",
        start_hint="python -m sglang.launch_server --model-path Qwen/Qwen2.5-0.5B-Instruct "
        "--host 127.0.0.1 --port 30010",
        supports_ignore_eos=True,
        supports_min_tokens=True,
    ),
    Backend(
        name="vllm",
        label="vLLM",
        kind="http",
        base_url="http://127.0.0.1:8000/v1",
        url_env="VLLM_BASE_URL",
        key_env="VLLM_API_KEY",
        model_env="VLLM_MODEL",
        start_hint="vllm serve Qwen/Qwen2.5-0.5B-Instruct --host 127.0.0.1 --port 8000",
        supports_ignore_eos=True,
        supports_min_tokens=True,
    ),
    Backend(
        name="groq",
        label="Groq",
        kind="http",
        base_url="https://api.groq.com/openai/v1",
        key_env="GROQ_API_KEY",
        model_env="GROQ_MODEL",
        needs_key=True,
    ),
    Backend(
        name="openai",
        label="OpenAI",
        kind="http",
        base_url="https://api.openai.com/v1",
        url_env="OPENAI_BASE_URL",
        key_env="OPENAI_API_KEY",
        model_env="OPENAI_MODEL",
        needs_key=True,
    ),
    Backend(
        name="anthropic",
        label="Anthropic",
        kind="http",
        base_url="https://api.anthropic.com/v1",
        url_env="ANTHROPIC_BASE_URL",
        key_env="ANTHROPIC_API_KEY",
        model_env="ANTHROPIC_MODEL",
        needs_key=True,
        dialect="anthropic",
    ),
    Backend(
        name="ollama",
        label="Ollama",
        kind="http",
        base_url="http://127.0.0.1:11434/v1",
        url_env="OLLAMA_BASE_URL",
        model_env="OLLAMA_MODEL",
        start_hint="OLLAMA_HOST=127.0.0.1:11434 ollama serve",
        dialect="ollama",
    ),
    Backend(
        name=ANY,
        label="OpenAI-compatible URL",
        kind="http",
        url_env="PACELINE_URL",
        key_env="PACELINE_URL_API_KEY",
        model_env="PACELINE_URL_MODEL",
        supports_ignore_eos=True,  # the server is unknown; the field is sent if requested
        supports_min_tokens=True,
    ),
    Backend(
        name="litellm",
        label="LiteLLM",
        kind="litellm",
        key_env="LITELLM_API_KEY",
        model_env="LITELLM_MODEL",
    ),
)

BACKENDS: dict[str, Backend] = {entry.name: entry for entry in _ENTRIES}
