"""Workloads: the prompts of a run, the same in every repeat.

Servers cache the prefixes of prompts. By default each prompt therefore begins with a nonce, so that
prefill is measured rather than the cache.
"""

from __future__ import annotations

from base64 import b32encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from services.ask import conversation, dialogue, lengths, modes
from services.ask.about import read_by
from services.ask.config import RunConfig
from services.ask.measurement import WARM_UP
from services.ask.prefixes import prefixes_of
from services.ask.sessions import sessions_of
from services.ask.workloads import mixed, shared, turns
from services.ask.workloads.lines import InvalidFile as InvalidFile
from services.ask.workloads.synthetic import NONCE_TOKENS as NONCE_TOKENS
from services.ask.workloads.synthetic import Synthetic
from services.ask.workloads.trace import Traced, has_blocks


@dataclass(frozen=True, slots=True)
class WorkloadSpec:
    """A source of prompts. `tokens`: the number of tokens in the first prompts, if it is known more
    precisely than by counting characters. `classes`: names of the request classes, if there are
    several."""

    name: str
    label: str
    help: str
    prompts: Callable[[RunConfig], Sequence[str]]
    tokens: Callable[[RunConfig, int], int] | None = None
    classes: tuple[str, ...] = ()

    @property
    def parameters(self) -> tuple[str, ...]:
        """The fields of RunConfig that this workload uses and that not all use."""
        return read_by(RunConfig, self.name)


def prompt(
    config: RunConfig,
    repeat: int,
    index: int,
    nonce: str = "",
    answers: Sequence[str] | None = None,
) -> str:
    """Return the prompt of request `index` of `repeat` (warm-up: -1); it is deterministic.

    The text depends only on the index, so that all repeats do the same work; only the nonce at its
    beginning differs. After the last prompt, the first is used again. `nonce` identifies the run:
    with the same one, a second run of a config would find its prompts in the cache.

    A later turn of a session begins with the previous turns, including `answers`, the server's
    answers to them, or otherwise the recorded answers. It has the nonce of the first turn, so that
    these turns are in the cache.
    """
    nonce_of = partial(_prompt_nonce, config.seed or 0, nonce, repeat)
    prefixes, sessions = prefixes_of(config), sessions_of(config)
    if sessions:
        number = sessions.locate(index)[0]
        begun = sessions.first(number)
        begins = shared.prompt(config, prefixes, begun, number, nonce_of) if prefixes else None
        front = nonce_of(begun) if config.unique_prompts and not prefixes else ""
        limits = max_tokens(config)
        return turns.prompt(config, sessions, index, answers, limits, front, begins)
    if prefixes:
        return shared.prompt(config, prefixes, index, index, nonce_of)
    texts = WORKLOADS[config.workload].prompts(config)
    text = texts[_prompt_index(config, repeat, index) % len(texts)]
    if text.startswith(dialogue.MARK):  # of a conversation; this is the only turn sent
        text = conversation.first(text)
    if not config.unique_prompts:
        return text
    if config.workload == "trace" and has_blocks(config):
        index = 0  # prompts that should begin alike do so within the repeat
    return dialogue.with_nonce(text, nonce_of(index))


def begin_alike(config: RunConfig) -> bool:
    """Return whether prompts that are not of the same session begin alike on purpose."""
    of_trace = config.workload == "trace" and has_blocks(config)
    return not config.unique_prompts or of_trace or prefixes_of(config) is not None


def uses_prefix_cache(config: RunConfig) -> bool:
    """Return whether a prefix cache is part of what is measured."""
    return begin_alike(config) or sessions_of(config) is not None


def classifier(config: RunConfig) -> Callable[[int], str]:
    """Return the function from a request's index to its class, or "" if there are no classes."""
    if _is_mixed(config):
        return partial(mixed.class_of, config)
    if sessions := sessions_of(config):
        return partial(turns.class_of, sessions)
    return lambda index: ""


def classes(config: RunConfig) -> tuple[str, ...]:
    """Return the request classes of a run; empty if all requests are alike. In sessions, the
    classes are first and later turns."""
    mix = WORKLOADS[config.workload].classes
    return mix or (turns.CLASSES if sessions_of(config) else ())


def parts(config: RunConfig) -> tuple[RunConfig, ...]:
    """Return a run as one uniform workload for each class."""
    if not _is_mixed(config):
        return (config,)
    return tuple(mixed.part(config, name) for name in mixed.CLASSES)


def request_config(config: RunConfig, repeat: int, index: int) -> RunConfig:
    """Return the config of request `index` of `repeat`: in a mix that of its class, with its own
    `max_tokens` if the lengths of answers vary."""
    index = _prompt_index(config, repeat, index)
    if _is_mixed(config):
        name, index = mixed.class_of(config, index), mixed.index_in_class(config, index)
        config = mixed.part(config, name)
    answers = lengths.of_answers(config)
    if not answers.vary:
        return config
    own = {"max_tokens": answers.of(index), "output_distribution": "fixed"}
    return config.model_copy(update=own)


def max_tokens(config: RunConfig) -> Callable[[int], int]:
    """Return a function that returns the `max_tokens` of a measured request by its index, without
    a config for each."""
    if not _is_mixed(config):
        return lengths.of_answers(config).of
    of_class = {name: lengths.of_answers(mixed.part(config, name)) for name in mixed.CLASSES}
    return lambda index: of_class[mixed.class_of(config, index)].of(
        mixed.index_in_class(config, index)
    )


def max_tokens_of_each(config: RunConfig, indices: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the same for many requests at once."""
    answers = lengths.of_answers(config)
    if not _is_mixed(config) and isinstance(answers, lengths.Lengths):
        return answers.of_each(indices)
    return np.array(list(map(max_tokens(config), indices.tolist())), dtype=np.int64)


def prompt_tokens(config: RunConfig) -> Callable[[int], int] | None:
    """Return a function from the index of a measured request to the planned tokens of its prompt;
    None if the workload does not plan them."""
    if sessions_of(config):  # later turns also contain the previous answers
        return None
    if config.workload == "synthetic":
        return lengths.of_prompts(config).of
    if config.workload != "mixed":
        return None
    of_class = {each: mixed.part(config, each).input_tokens for each in mixed.CLASSES}
    return lambda index: of_class[mixed.class_of(config, index)]


def longest_answer(config: RunConfig) -> int:
    """Return the largest `max_tokens` of a run's requests."""
    return max(lengths.of_answers(each).longest(modes.max_requests(each)) for each in parts(config))


def warmup_count(config: RunConfig) -> int:
    """Return the number of warm-up requests: `warmup` of each class."""
    return config.warmup * len(parts(config))


def _prompt_index(config: RunConfig, repeat: int, index: int) -> int:
    """The index whose prompt a request uses; a mix warms up with each class alternately."""
    mixed_warm_up = repeat == WARM_UP and _is_mixed(config)
    return mixed.warm_up_index(config, index) if mixed_warm_up else index


def _is_mixed(config: RunConfig) -> bool:
    return bool(WORKLOADS[config.workload].classes)


def _prompt_nonce(seed: int, nonce: str, repeat: int, index: object) -> str:
    """Eight characters, 40 bits: two of 5,000 requests have the same one once in 90,000 runs."""
    key = f"{seed}/{nonce}/{repeat}/{index}".encode()
    return f"[{b32encode(blake2b(key, digest_size=5).digest()).decode().lower()}]"


BUILTIN = (
    "Write a long essay on the topic of spring.",
    "Explain in a few sentences why the sky is blue.",
    "List ten ways to save water at home, one line each.",
    "What is the capital of Australia, and why is it not Sydney?",
    "Write a short story about a lighthouse keeper who finds a message in a bottle. Give it a "
    "beginning, a middle and an unexpected end.",
    "Write a Python function that returns the n-th Fibonacci number without recursion, and explain "
    "how it works line by line.",
    "Translate into French, German and Spanish: 'The train to the coast leaves at half past nine "
    "from platform four.'",
    "Compare renting and buying a home for a young couple: three arguments for each, then advice.",
    "A shop sells pens at 3 for 2 dollars. How much do 48 pens cost, and how many pens does one "
    "get for 50 dollars? Show each step.",
    "Write a polite e-mail to a landlord who has not repaired the heating for two weeks.",
    "Summarize the following in one sentence: The steam engine changed far more than the factory. "
    "Mines could be pumped dry and dug deeper, railways tied distant towns into one market, and "
    "clocks had to agree from one end of a country to the other. Work moved from the cottage to "
    "the mill, families followed it, and cities grew faster than their wells could serve. "
    "Within a lifetime the pace of an ordinary day was no longer set by daylight and seasons but "
    "by the whistle.",
    "Give me a recipe for a vegetarian lasagne for six people, with amounts and times.",
    "Explain to a ten-year-old how a computer stores a photograph.",
    "Write a product description of 150 words for a bicycle lamp that charges itself while riding.",
    "Review this code and name every mistake:\n\ndef mean(values):\n    total = 0\n    for i in "
    "range(1, len(values)):\n        total += values[i]\n    return total / len(values)\n\n"
    "print(mean([]))",
    "Plan a three-day trip to Lisbon for somebody who likes music and the sea and cannot walk far. "
    "Say for each day what to see in the morning, afternoon and evening, and how to get there.",
)

_ENTRIES = (
    WorkloadSpec(
        name="builtin",
        label="Built-in",
        help=f"{len(BUILTIN)} different prompts, from a question to an essay, used in rotation.",
        prompts=lambda config: BUILTIN,
    ),
    WorkloadSpec(
        name="text",
        label="Your own text",
        help="The same prompt for every request.",
        prompts=lambda config: (config.prompt or "",),
    ),
    WorkloadSpec(
        name="file",
        label="File",
        help="JSONL, JSON, CSV or plain lines, used in rotation.",
        prompts=lambda config: config.prompts,
    ),
    WorkloadSpec(
        name="synthetic",
        label="Synthetic",
        help="English prose or random words, with approximately the number of tokens you set.",
        prompts=Synthetic,
        tokens=lambda config, count: lengths.of_prompts(config).total(count),
    ),
    WorkloadSpec(
        name="mixed",
        label="Mixed",
        help="Short and long synthetic prompts, interleaved: do short requests wait for long ones?",
        prompts=mixed.Mixed,
        classes=mixed.CLASSES,
    ),
    WorkloadSpec(
        name="trace",
        label="Trace",
        help="English text with the prompt lengths, shared prefixes and answer lengths of a trace.",
        prompts=Traced,
        tokens=lambda config, count: lengths.of_prompts(config).total(count),
    ),
)

CLASSES = {  # labels to display
    mixed.SHORT: "short requests",
    mixed.LONG: "long requests",
    turns.FIRST: "first turns",
    turns.LATER: "later turns",
}
WORKLOADS: dict[str, WorkloadSpec] = {entry.name: entry for entry in _ENTRIES}
