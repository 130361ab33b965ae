"""What a run is asked to do.

One frozen value says it for the form, the flags, the API and the database. It never holds a key:
keys are looked up by backend name when a request is built (see `backends/`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    FailFast,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from services.ask import dialogue, request_options

MODE_NAMES = ("sequential", "staggered", "batch")
WORKLOAD_NAMES = ("builtin", "text", "file", "synthetic", "mixed")

Mode = Literal["sequential", "staggered", "batch"]
Workload = Literal["builtin", "text", "file", "synthetic", "mixed"]
Client = Literal["wire", "litellm"]
Omittable = Literal["max_tokens", "temperature", "top_p", "stream_options"]
LengthName = Literal["max_tokens", "max_completion_tokens"]
MOST = 10_000  # requests in a repeat
MOST_REPEATS = 50
MOST_PROCESSES = 64
MOST_SENTENCES = 50  # about fields that are wrong: no config has more of its own
Text = Annotated[str, Field(max_length=200_000)]
# Backends whose newest models refuse any temperature and top-p but their own, which are 1: a 1 need
# not be sent there. An engine may have another default (vLLM takes the model's).
OWN_SAMPLING = ("openai",)

# How a run is judged, not what it does: they are no difference between runs.
JUDGEMENT = ("ttft_limit_s", "tpot_limit_s", "e2e_limit_s", "usd_per_hour")

# Who reads a field of prompts: where no workload is said, it is the first that reads all given.
READERS: dict[str, tuple[Workload, ...]] = {
    "prompt": ("text",),
    "prompts": ("file",),
    "input_tokens": ("synthetic", "mixed"),
    "long_input_tokens": ("mixed",),
    "long_every": ("mixed",),
    "long_max_tokens": ("mixed",),
}
STORED = {"stored": True}  # the context of a config that was checked when it was asked for
LONG_TIMES = 4  # as long as a short prompt is a long one, unless said
LONG_EVERY = 2  # alternating


Config = TypeVar("Config", bound=BaseModel)
Problem = Callable[[Any], Any]


class InvalidConfig(ValueError):
    """A run that cannot be asked for. `problems` maps a field's name to a sentence."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__(" ".join(problems.values()))
        self.problems = dict(problems)


class RunConfig(BaseModel):
    """One run: to whom, when, what, how often. Times in seconds, lengths in tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    backend: str = Field("embedded", description="Name of a backend, see `cli.py backends`")
    base_url: str | None = Field(None, description="Address, where it is not the backend's own")
    model: str = Field("", max_length=300, description="Model; empty: the first the server lists")
    client: Client = Field("wire", description="Paceline's own client, or LiteLLM's (slower)")

    mode: Mode = Field("sequential", description="How the requests are sent")
    requests: int = Field(5, ge=1, le=MOST, description="Requests in each repeat")
    pause_s: float = Field(
        2.0, ge=0, le=3600, description="Sequential: seconds of pause after an answer"
    )
    interval_s: float = Field(
        0.06125, ge=0, le=3600, description="Staggered: seconds between two sends"
    )
    concurrency: int | None = Field(
        None, ge=1, le=MOST, description="Batch: most requests in flight; empty: all"
    )

    workload: Workload = Field(
        "builtin",
        description="Where the prompts come from; said by prompt, prompts or input_tokens, too",
    )
    prompt: Text | None = Field(None, description="Text workload: the prompt")
    prompts: Annotated[tuple[Text, ...], FailFast()] = Field(
        (), max_length=MOST, description="File workload: the prompts"
    )
    input_tokens: int = Field(
        512,
        ge=1,
        le=131_072,
        description="Synthetic: about this many tokens a prompt; mixed: a short prompt",
    )
    long_input_tokens: int | None = Field(
        None,
        ge=1,
        le=131_072,
        description=f"Mixed: about this many tokens a long prompt; empty: {LONG_TIMES} times as "
        "many as a short one",
    )
    long_every: int | None = Field(
        None, ge=2, le=MOST, description="Mixed: every n-th request is long; empty: every 2nd"
    )
    long_max_tokens: int | None = Field(
        None,
        ge=1,
        le=131_072,
        description="Mixed: most tokens a long prompt's answer may have; empty: as all",
    )
    unique_prompts: bool = Field(
        True, description="A short unique mark before each prompt, against prefix caches"
    )

    max_tokens: int = Field(128, ge=1, le=131_072, description="Most tokens an answer may have")
    temperature: float | None = Field(
        None, ge=0, le=2, description="Sampling temperature; empty: 0, and not sent to OpenAI"
    )
    top_p: float | None = Field(None, gt=0, le=1, description="Nucleus sampling; empty: not sent")
    seed: int | None = Field(None, ge=0, le=2**31 - 1, description="Seed, where the server has one")
    ignore_eos: bool = Field(False, description="Answer to full length (engines that know it)")

    omit: tuple[Omittable, ...] = Field(
        (),
        description="Fields not to send, where a server refuses them: max_tokens, temperature, "
        "top_p, stream_options",
    )
    max_tokens_field: LengthName | None = Field(
        None,
        description="Field that holds the token limit; empty: max_completion_tokens at "
        "OpenAI, max_tokens elsewhere",
    )
    extra_body: dict[str, Any] = Field(
        {}, description='Further fields of each request, a JSON object: {"min_tokens": 64}'
    )
    headers: dict[str, str] = Field(
        {},
        description="Further headers, Name: value; a secret by its variable, "
        "api-key: $PACELINE_URL_API_KEY",
    )
    ca_file: str | None = Field(
        None,
        max_length=1000,
        description="File of certificates (PEM) to trust, on the machine that sends",
    )
    insecure_tls: bool = Field(
        False,
        description="Accept any certificate, self-signed ones too: the server is not verified",
    )

    warmup: int = Field(
        1,
        ge=0,
        le=100,
        description="Requests before the first that do not count; mixed: of each length",
    )
    repeats: int = Field(1, ge=1, le=MOST_REPEATS, description="How often the whole is measured")
    timeout_s: float = Field(
        300.0, gt=0, le=86_400, description="Most seconds one request may take"
    )
    connect_timeout_s: float = Field(
        30.0, gt=0, le=86_400, description="Most seconds until a connection is open"
    )
    first_token_timeout_s: float | None = Field(
        None, gt=0, le=86_400, description="Most seconds until the first token"
    )
    chunk_timeout_s: float | None = Field(
        None, gt=0, le=86_400, description="Most seconds between two chunks of an answer"
    )
    stop_after_s: float | None = Field(
        None, gt=0, le=86_400, description="Stop a repeat after this many seconds"
    )
    stop_after_errors: int | None = Field(
        None, ge=1, le=MOST, description="Stop a repeat after this many failed requests"
    )
    processes: int | None = Field(
        None,
        ge=1,
        le=MOST_PROCESSES,
        description="Processes that send; empty: by the load and the cores",
    )
    calibrate: bool | None = Field(
        None,
        description="Measure the client's own error at this load afterwards; "
        "empty: when more than 64 requests are in flight",
    )

    ttft_limit_s: float | None = Field(
        None, gt=0, le=86_400, description="Objective: most seconds to the first token"
    )
    tpot_limit_s: float | None = Field(
        None, gt=0, le=86_400, description="Objective: most seconds per output token after it"
    )
    e2e_limit_s: float | None = Field(
        None, gt=0, le=86_400, description="Objective: most seconds of a whole answer"
    )
    usd_per_hour: float | None = Field(
        None, gt=0, le=1_000_000, description="What the server costs an hour, all its GPUs; US $"
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
        return no_truth(cls, value, info)

    @field_validator("base_url")
    @classmethod
    def _address(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None or not value.strip():
            return None
        return value if info.context is STORED else request_options.address(value.strip())

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


def no_truth(kind: type[BaseModel], value: Any, info: ValidationInfo) -> Any:
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
    return made(RunConfig, values)


def stored(values: Mapping[str, Any]) -> RunConfig:
    """Return a config as it was stored: an address or fields that are refused by now are in it."""
    return RunConfig.model_validate(dict(values), context=STORED)


def made(kind: type[Config], values: Mapping[str, Any], of: Problem = lambda one: one) -> Config:
    """Make a config of that kind; `of` turns one of pydantic's problems into another.

    Raises:
        InvalidConfig: with a sentence for each field that is wrong.
    """
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        raise InvalidConfig(sentences_of(map(of, error.errors(include_url=False)))) from None


def sentences_of(problems: Iterable[Any]) -> dict[str, str]:
    """Map each wrong field to a sentence: which field, what is wrong, what was given.

    At most MOST_SENTENCES are said. `problems` are pydantic's error dicts; where FastAPI made them,
    `loc` names the part of the request first. What is wrong with the whole stands under "". A given
    value is said again only where a rule about numbers or words was broken: other fields may hold a
    password.
    """
    found: dict[str, str] = {}
    for problem in problems:
        if len(found) == MOST_SENTENCES:
            found.setdefault("", "More fields are wrong.")
            break
        place = [part for part in problem["loc"] if part not in ("body", "query", "path")]
        field = place[0][:80] if place and isinstance(place[0], str) else ""
        text = _sentence(problem)
        if not field and ": " in text:
            field, text = text.split(": ", 1)
        entry = f" (entry {place[1] + 1})" if len(place) > 1 and isinstance(place[1], int) else ""
        found.setdefault(field, f"{field or 'The run'}{entry} {text.rstrip('.')}.")
    return found


def _sentence(problem: Any) -> str:
    kind, rule, given = problem["type"], problem.get("ctx", {}), problem.get("input")
    if kind not in _SENTENCES:
        return str(problem["msg"]).removeprefix("Value error, ")
    limits = {name: f"{v:g}" if isinstance(v, float) else v for name, v in rule.items()}
    short = isinstance(given, int | float) or (isinstance(given, str) and len(given) <= 40)
    short = short and len(repr(given)) <= 40
    shown = f" (got {given!r})" if short and given != "" and kind not in _SILENT else ""
    return _SENTENCES[kind].format_map(limits) + shown


_SENTENCES = {
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number of fewer digits",
    "int_from_float": "must be a whole number",
    "int_type": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "string_unicode": "holds a character that is not text",
    "string_too_long": "must have at most {max_length} characters",
    "tuple_type": "must be a list",
    "too_long": "must have at most {max_length} entries",
    "literal_error": "must be one of {expected}",
    "extra_forbidden": "is not a known field",
    "missing": "is missing",
    "json_invalid": "is not JSON",
    "dict_type": "must be a JSON object",
    "model_type": "must be a JSON object",
    "model_attributes_type": "must be a JSON object",
}
_SILENT = {  # what was given is not said again
    "extra_forbidden",
    "string_unicode",
    "string_type",
    "tuple_type",
    "json_invalid",
    "missing",
    "dict_type",
    "model_type",
    "model_attributes_type",
}


def own_prompts(config: RunConfig) -> tuple[str, ...]:
    """Return the prompts that the person wrote or gave in a file, which are nobody else's."""
    if config.prompt and config.workload == "text":
        return (dialogue.text_of(config.prompt),)
    return tuple(map(dialogue.text_of, config.prompts))


def without_prompts(config: RunConfig) -> dict[str, Any]:
    """Return the config as plain data with the person's own prompts left out, for what leaves
    the database: `prompt` and `prompts` are replaced by how many there were and how long."""
    data = config.model_dump(mode="json")
    del data["prompt"], data["prompts"]
    texts = own_prompts(config)
    data["own_prompts"] = len(texts)
    data["own_prompt_characters"] = sum(map(len, texts))
    return data
