"""The prompts, and which workload reads which field."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import FailFast, Field, ValidationInfo, model_validator

from services.ask import about, dialogue
from services.ask.about import About, field
from services.ask.base_config import STORED, BaseConfig
from services.ask.config.load import MOST
from services.ask.config.prefixes import PrefixFields
from services.ask.config.sessions import SessionFields

Workload = Literal["builtin", "text", "file", "synthetic", "mixed", "trace"]
Distribution = Literal["fixed", "uniform", "normal", "lognormal"]
TextStyle = Literal["prose", "words"]
Text = Annotated[str, Field(max_length=200_000)]
MAX_PROMPTS = 10_000
MAX_TOKENS = 131_072  # of a prompt, and of an answer
WIDEST = 5.0  # spread of lengths, in means
FORMER = {"text_style": "words"}  # what omitted fields of stored configs mean
OwnLimit = Annotated[int, Field(ge=0, le=MAX_TOKENS)]
LONG_TIMES = 4  # default length of a long prompt, as a multiple of a short one
LONG_EVERY = 2  # alternating


class PromptFields(BaseConfig):
    """The prompts."""

    workload: Workload = field(
        "builtin",
        About(
            "Workload",
            "Where the prompts come from; implied by your own prompts or by input_tokens",
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
        max_length=MAX_PROMPTS,
    )
    prompt_max_tokens: Annotated[tuple[OwnLimit, ...], FailFast()] = field(
        (),
        About(
            "Max tokens of each prompt",
            "File workload: max_tokens for each prompt, in order; 0: the run's max_tokens. Read "
            "from the file if it has output_tokens or max_tokens",
            section="prompts",
            read_by=("file",),
            bulky=True,
        ),
        max_length=MAX_PROMPTS,
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
        le=MAX_TOKENS,
    )
    input_distribution: Distribution = field(
        "fixed",
        About(
            "Prompt lengths",
            "Synthetic: distribution of prompt lengths, with the tokens per prompt as its mean: "
            "fixed, uniform, normal or lognormal",
            section="prompts",
            read_by=("synthetic",),
            varied=True,
        ),
    )
    input_spread: float = field(
        0.5,
        About(
            "Spread of prompt lengths",
            "Synthetic: half the range of a uniform distribution, otherwise the standard "
            "deviation, as a share of the mean; not used with fixed lengths",
            section="prompts",
            step=0.1,
            read_by=("synthetic",),
            ignored=lambda config: (
                "with a fixed input_distribution" if config.input_distribution == "fixed" else ""
            ),
            varied=True,
        ),
        gt=0,
        le=WIDEST,
    )
    text_style: TextStyle = field(
        "prose",
        About(
            "Text",
            "Synthetic and mixed: real English prose, or random common words, which a draft model "
            "predicts less well",
            section="prompts",
            read_by=("synthetic", "mixed"),
            varied=True,
        ),
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
        le=MAX_TOKENS,
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
            "Mixed: maximum number of tokens in the answer to a long prompt; empty: same as "
            "max_tokens",
            section="prompts",
            empty="same as max tokens",
            read_by=("mixed",),
            varied=True,
        ),
        ge=1,
        le=MAX_TOKENS,
    )
    unique_prompts: bool = field(
        True,
        About(
            "Unique prompts",
            "Start each prompt with a short nonce, so that the prefix cache is not used",
            varied=True,
        ),
    )

    @model_validator(mode="before")
    @classmethod
    def _infer_workload(cls, data: Any, info: ValidationInfo) -> Any:
        if not isinstance(data, dict):
            return data
        former = FORMER if info.context is STORED else {}
        present = [] if "workload" in data else [n for n in READERS if data.get(n) is not None]
        if not present:
            return {**former, **data}
        if not readers(present):
            raise ValueError(
                f"workload: is ambiguous. Give {present[0]} or {present[-1]}, not both."
            )
        possible = [name for name in readers(present) if name != "file" or data.get("prompts")]
        return {**former, **data, "workload": (possible or ["file"])[0]}

    @model_validator(mode="after")
    def _check_prompts(self) -> Self:
        if self.workload == "text" and not (self.prompt or "").strip():
            raise ValueError("prompt: is empty. Write the prompt, or choose another workload.")
        if self.workload == "file" and not self.prompts:
            raise ValueError("prompts: are missing. Give a JSONL or CSV file with prompts.")
        limits = len(self.prompt_max_tokens)
        if self.workload == "file" and limits not in (0, len(self.prompts)):
            count = len(self.prompts)
            raise ValueError(
                f"prompt_max_tokens: must have {count:,} numbers, one for each prompt."
            )
        if any(not prompt.strip() for prompt in self.prompts):
            raise ValueError("prompts: contain an empty prompt. Remove it.")
        for prompt in (*self.prompts, self.prompt or ""):
            try:
                dialogue.messages_of(prompt)
            except ValueError:
                raise ValueError(
                    "prompts: contain messages that are not a list of role and content."
                ) from None
        return self


def readers(fields: Iterable[str]) -> tuple[Workload, ...]:
    """Return the workloads that use all of these fields of prompts."""
    readers_of_each = [READERS[name] for name in fields]
    return tuple(
        name for name in readers_of_each[0] if all(name in each for each in readers_of_each)
    )


# The workloads that use each field. The default workload is the first that uses all given ones.
READERS: dict[str, tuple[Workload, ...]] = {
    name: tuple(each for each in get_args(Workload) if each in known.read_by)
    for kind in (PromptFields, PrefixFields, SessionFields)
    for name, known in about.fields(kind).items()
    if known.read_by
}
