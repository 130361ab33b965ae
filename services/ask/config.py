"""What a run is asked to do.

One frozen value says it for the form, the flags, the API and the database. It never holds a key:
keys are looked up by backend name when a request is built (see `backends/`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    FailFast,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from services.ask import about, dialogue, request_options
from services.ask.about import About, field
from services.ask.address import as_written
from services.ask.problems import validate

Mode = Literal["sequential", "staggered", "batch"]
Workload = Literal["builtin", "text", "file", "synthetic", "mixed"]
Client = Literal["wire", "litellm"]
Omittable = Literal["max_tokens", "temperature", "top_p", "stream_options"]
LengthName = Literal["max_tokens", "max_completion_tokens"]
MOST = 10_000  # requests in a repeat
MOST_REPEATS = 50
MOST_PROCESSES = 64
Text = Annotated[str, Field(max_length=200_000)]
# Backends whose newest models refuse any temperature and top-p but their own, which are 1: a 1 need
# not be sent there. An engine may have another default (vLLM takes the model's).
OWN_SAMPLING = ("openai",)

STORED = {"stored": True}  # the context of a config that was checked when it was asked for
LONG_TIMES = 4  # as long as a short prompt is a long one, unless said
LONG_EVERY = 2  # alternating


class RunConfig(BaseModel):
    """One run: to whom, when, what, how often. Times in seconds, lengths in tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    backend: str = field(
        "embedded",
        About("Backend", "Name of a backend, see `cli.py backends`", "target", "backend"),
    )
    base_url: str | None = field(
        None,
        About(
            "Address",
            "Address of the server; empty: the backend's own",
            "target",
            "backend",
            may_hold_key=True,
        ),
    )
    model: str = field(
        "",
        About(
            "Model", "Model; empty: the first the server lists", "target", "backend", varied=True
        ),
        max_length=300,
    )
    client: Client = field(
        "wire",
        About("Client", "Paceline's own client, or LiteLLM's (slower)", "client", varied=True),
    )

    mode: Mode = field("sequential", About("Mode", "How the requests are sent", section="mode"))
    requests: int = field(
        5, About("Requests", "Requests in each repeat", section="mode", varied=True), ge=1, le=MOST
    )
    pause_s: float = field(
        2.0,
        About(
            "Pause",
            "Sequential: pause after each answer, in seconds",
            section="mode",
            unit="s",
            step=0.5,
            read_by=("sequential",),
            varied=True,
        ),
        ge=0,
        le=3600,
    )
    interval_s: float = field(
        0.06125,
        About(
            "Interval",
            "Staggered: time between two sends, in seconds",
            section="mode",
            unit="s",
            step=0.01,
            read_by=("staggered",),
            varied=True,
        ),
        ge=0,
        le=3600,
    )
    concurrency: int | None = field(
        None,
        About(
            "Max concurrency",
            "Batch: maximum number of requests in flight; empty: all at once",
            section="mode",
            empty="all",
            read_by=("batch",),
            varied=True,
        ),
        ge=1,
        le=MOST,
    )

    workload: Workload = field(
        "builtin",
        About(
            "Workload",
            "Where the prompts come from; implied by prompt, prompts or input_tokens",
            section="prompts",
        ),
    )
    prompt: Text | None = field(
        None,
        About(
            "Prompt",
            "Text workload: the prompt",
            section="prompts",
            read_by=("text",),
            private=True,
        ),
    )
    prompts: Annotated[tuple[Text, ...], FailFast()] = field(
        (),
        About(
            "Prompts",
            "File workload: the prompts",
            section="prompts",
            read_by=("file",),
            private=True,
        ),
        max_length=MOST,
    )
    input_tokens: int = field(
        512,
        About(
            "Tokens per prompt",
            "Synthetic: approximate number of tokens in each prompt; mixed: in a short prompt",
            section="prompts",
            read_by=("synthetic", "mixed"),
            varied=True,
        ),
        ge=1,
        le=131_072,
    )
    long_input_tokens: int | None = field(
        None,
        About(
            "Tokens per long prompt",
            "Mixed: approximate number of tokens in a long prompt; empty: "
            f"{LONG_TIMES} times as many as in a short one",
            section="prompts",
            empty=f"{LONG_TIMES} × a short prompt",
            read_by=("mixed",),
            varied=True,
        ),
        ge=1,
        le=131_072,
    )
    long_every: int | None = field(
        None,
        About(
            "Requests per long prompt",
            "Mixed: one request in this many has a long prompt; empty: every 2nd",
            section="prompts",
            empty=str(LONG_EVERY),
            read_by=("mixed",),
            varied=True,
        ),
        ge=2,
        le=MOST,
    )
    long_max_tokens: int | None = field(
        None,
        About(
            "Max tokens for long prompts",
            "Mixed: maximum number of tokens in the answer to a long prompt; empty: as max_tokens",
            section="prompts",
            empty="same as max tokens",
            read_by=("mixed",),
            varied=True,
        ),
        ge=1,
        le=131_072,
    )
    unique_prompts: bool = field(
        True,
        About(
            "Unique prompts",
            "Start each prompt with a short nonce, so that no prefix cache can help",
            varied=True,
        ),
    )

    max_tokens: int = field(
        128,
        About(
            "Max tokens", "Maximum number of tokens in an answer", section="answers", varied=True
        ),
        ge=1,
        le=131_072,
    )
    temperature: float | None = field(
        None,
        About(
            "Temperature",
            "Sampling temperature; empty: 0, and not sent to OpenAI",
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
            "Ignore end of text",
            "Generate max_tokens tokens whatever the model says (engines that support it)",
            varied=True,
        ),
    )

    omit: tuple[Omittable, ...] = field(
        (),
        About(
            "Fields to omit",
            "Fields not to send because the server rejects them: max_tokens, temperature, "
            "top_p, stream_options",
            "client",
            "request",
            each="FIELD",
        ),
    )
    max_tokens_field: LengthName | None = field(
        None,
        About(
            "Token limit field",
            "Name of the field for the token limit; empty: max_completion_tokens for "
            "OpenAI, max_tokens otherwise",
            "client",
            "request",
        ),
    )
    extra_body: dict[str, Any] = field(
        {},
        About(
            "Extra fields (JSON)",
            'Extra fields in every request, as a JSON object: {"min_tokens": 64}',
            section="request",
            may_hold_key=True,
        ),
    )
    headers: dict[str, str] = field(
        {},
        About(
            "Extra headers",
            "Extra headers, Name: value; name a variable for a secret, "
            "api-key: $PACELINE_URL_API_KEY",
            "client",
            "request",
            may_hold_key=True,
            each="NAME: VALUE",
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

    warmup: int = field(
        1,
        About(
            "Warm-up requests",
            "Requests sent before the first one that counts; mixed: of each length",
            "client",
        ),
        ge=0,
        le=100,
    )
    repeats: int = field(
        1,
        About("Repeats", "How often the whole run is measured", "client", "mode"),
        ge=1,
        le=MOST_REPEATS,
    )
    timeout_s: float = field(
        300.0,
        About("Request timeout", "Maximum time for one request, in seconds", "client", unit="s"),
        gt=0,
        le=86_400,
    )
    connect_timeout_s: float = field(
        30.0,
        About(
            "Connection timeout",
            "Maximum time to open a connection, in seconds",
            "client",
            unit="s",
        ),
        gt=0,
        le=86_400,
    )
    first_token_timeout_s: float | None = field(
        None,
        About(
            "First-token timeout", "Maximum time to the first token, in seconds", "client", unit="s"
        ),
        gt=0,
        le=86_400,
    )
    chunk_timeout_s: float | None = field(
        None,
        About(
            "Chunk timeout",
            "Maximum time between two chunks of an answer, in seconds",
            "client",
            unit="s",
        ),
        gt=0,
        le=86_400,
    )
    stop_after_s: float | None = field(
        None,
        About("Stop a repeat after", "Stop a repeat after this many seconds", unit="s"),
        gt=0,
        le=86_400,
    )
    stop_after_errors: int | None = field(
        None,
        About("Max failed requests", "Stop a repeat after this many failed requests"),
        ge=1,
        le=MOST,
    )
    processes: int | None = field(
        None,
        About(
            "Load processes",
            "Processes that send requests; empty: chosen from the load and the CPU cores",
            "client",
            empty="auto",
        ),
        ge=1,
        le=MOST_PROCESSES,
    )
    calibrate: bool | None = field(
        None,
        About(
            "Calibrate the client",
            "Measure the client's own error at this load afterwards; "
            "empty: if more than 64 requests are in flight",
            "check",
        ),
    )

    ttft_limit_s: float | None = field(
        None,
        About(
            "Max TTFT",
            "Objective: maximum time to first token, in seconds",
            "judgement",
            "objectives",
            unit="s",
            step=0.1,
        ),
        gt=0,
        le=86_400,
    )
    tpot_limit_s: float | None = field(
        None,
        About(
            "Max TPOT",
            "Objective: maximum time per output token after the first, in seconds",
            "judgement",
            "objectives",
            unit="s",
            step=0.01,
        ),
        gt=0,
        le=86_400,
    )
    e2e_limit_s: float | None = field(
        None,
        About(
            "Max E2E latency",
            "Objective: maximum time for a whole answer, in seconds",
            "judgement",
            "objectives",
            unit="s",
        ),
        gt=0,
        le=86_400,
    )
    usd_per_hour: float | None = field(
        None,
        About(
            "Price per hour",
            "What the server costs per hour, all its GPUs together, in US $",
            "judgement",
            "objectives",
            unit="US $",
        ),
        gt=0,
        le=1_000_000,
    )

    def __hash__(self) -> int:
        """Objects have no hash: equal configs have the same one without them."""
        return hash(tuple(value for value in vars(self).values() if not isinstance(value, dict)))

    @property
    def via_litellm(self) -> bool:
        """Whether LiteLLM's own work is part of every number."""
        return "litellm" in (self.client, self.backend)

    @property
    def sent_temperature(self) -> float | None:
        """The temperature that a request holds; None: none is sent."""
        if self.temperature is None and self.backend not in OWN_SAMPLING:
            return self._unless_left_out("temperature", 0.0)
        return self._unless_left_out("temperature", self.temperature)

    @property
    def sent_top_p(self) -> float | None:
        """The top-p that a request holds; None: none is sent."""
        return self._unless_left_out("top_p", self.top_p)

    def _unless_left_out(self, name: str, value: float | None) -> float | None:
        neutral = value == 1 and self.backend in OWN_SAMPLING
        return None if neutral or name in self.omit else value

    @property
    def greedy(self) -> bool:
        """Whether the likeliest token is always taken, so that top-p and seed change nothing."""
        return self.sent_temperature == 0

    @model_validator(mode="before")
    @classmethod
    def _workload_of_what_is_given(cls, data: Any) -> Any:
        if not isinstance(data, dict) or "workload" in data:
            return data
        given = [name for name in READERS if data.get(name) is not None]
        if given and not readers(given):
            raise ValueError(f"workload: is not clear. Give {given[0]} or {given[-1]}, not both.")
        return {**data, "workload": readers(given)[0]} if given else data

    @field_validator("*", mode="before")
    @classmethod
    def _truth_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        return refuse_bool(cls, value, info)

    @field_validator("base_url")
    @classmethod
    def _address(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None or not value.strip():
            return None
        return value if info.context is STORED else as_written(value.strip())

    @field_validator("omit", mode="before")
    @classmethod
    def _omitted(cls, value: Any) -> Any:
        return request_options.words(value)

    @field_validator("extra_body", mode="before")
    @classmethod
    def _further_fields(cls, value: Any, info: ValidationInfo) -> Any:
        return value if info.context is STORED else request_options.further_fields(value)

    @field_validator("headers", mode="before")
    @classmethod
    def _further_headers(cls, value: Any) -> Any:
        return request_options.further_headers(value)

    @field_validator("ca_file")
    @classmethod
    def _file(cls, value: str | None) -> str | None:
        return (value or "").strip() or None

    @model_validator(mode="after")
    def _prompts_are_there(self) -> RunConfig:
        if self.workload == "text" and not (self.prompt or "").strip():
            raise ValueError("prompt: is empty. Write the prompt, or choose another workload.")
        if self.workload == "file" and not self.prompts:
            raise ValueError("prompts: are missing. Give a JSONL or CSV file with prompts.")
        if any(not prompt.strip() for prompt in self.prompts):
            raise ValueError("prompts: hold an empty one. Remove it.")
        for prompt in (*self.prompts, self.prompt or ""):
            try:
                dialogue.messages_of(prompt)
            except ValueError:
                raise ValueError(
                    "prompts: hold messages that are not a list of role and content."
                ) from None
        return self

    @model_validator(mode="after")
    def _both_are_in_a_mix(self) -> RunConfig:
        if self.workload != "mixed":
            return self
        if self.requests < (self.long_every or LONG_EVERY):
            raise ValueError(
                f"long_every: leaves no long request among {self.requests}. Send more, or choose "
                "a smaller number."
            )
        if self.long_input_tokens is not None and self.long_input_tokens < self.input_tokens:
            raise ValueError(
                f"long_input_tokens: must be at least input_tokens, which is {self.input_tokens}."
            )
        return self


JUDGEMENT = about.names(RunConfig, lambda one: one.role == "judgement")
# Who reads a field of prompts: where no workload is said, it is the first that reads all given.
READERS: dict[str, tuple[Workload, ...]] = {
    name: tuple(each for each in get_args(Workload) if each in known.read_by)
    for name, known in about.fields(RunConfig).items()
    if known.section == "prompts" and known.read_by
}


def refuse_bool(kind: type[BaseModel], value: Any, info: ValidationInfo) -> Any:
    """Return the value of a field; true is no 1. Raises ValueError."""
    of_field = kind.model_fields[info.field_name or ""].annotation
    if isinstance(value, bool) and of_field in (int, float, int | None, float | None):
        raise ValueError("must be a number, not true or false")
    return value


def readers(fields: Iterable[str]) -> tuple[Workload, ...]:
    """Return the workloads that read all of these fields of prompts."""
    each = [READERS[name] for name in fields]
    return tuple(name for name in each[0] if all(name in one for one in each))


def parse(values: Mapping[str, Any]) -> RunConfig:
    """Make a RunConfig of what a form, a command line or a request body says.

    Raises:
        InvalidConfig: with a sentence for each field that is wrong.
    """
    return validate(RunConfig, values)


def stored(values: Mapping[str, Any]) -> RunConfig:
    """Return a config as it was stored: an address or fields that are refused by now are in it."""
    return RunConfig.model_validate(dict(values), context=STORED)
