"""Prompts of a chosen length, made of real prose or of random words."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from services.ask import lengths, modes
from services.ask.config import RunConfig, TextStyle
from services.ask.workloads.prose import passage

TITLE = 3  # words
NONCE_TOKENS = 7  # of "[k7f3q2xa]": 5 to 10, 7 on average, in the tokenizers tested


def text(key: str, tokens: int, style: TextStyle = "prose") -> str:
    """Return a text of about `tokens` tokens, at least one; the same key gives the same text. Texts
    of different keys differ from their first words on: prose begins with a title of random
    words."""
    draw = Random(key)
    if style == "words" or tokens <= TITLE + 1:
        return " ".join(draw.choices(_WORDS, k=max(1, tokens)))
    title = " ".join(draw.choices(_WORDS, k=TITLE))
    return f"{title}: {passage(draw, tokens - TITLE - 1)}"


class Synthetic(Sequence[str]):
    """Prompts generated on access: 5,000 long ones need no memory.

    In the tokenizers of GPT-4, GPT-4o, Claude 2, Qwen, Mistral NeMo and SmolLM2, a prompt has the
    requested number of tokens, within 1 % for prose and exactly for words; its nonce adds up to 3.
    With a vocabulary of 32,000 (Mistral 7B, Llama 2) prose has 5 % more. The 5 to 40 tokens that a
    chat template adds are not included; every measurement contains the server's own count.
    """

    def __init__(self, config: RunConfig) -> None:
        self._seed = config.seed or 0
        self._count = modes.max_requests(config)
        self._lengths = lengths.of_prompts(config)
        self._style = config.text_style
        self._nonce = NONCE_TOKENS * config.unique_prompts

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self._count))]
        if not -self._count <= index < self._count:
            raise IndexError(index)
        index %= self._count
        tokens = max(1, self._lengths.of(index) - self._nonce)
        return text(f"{self._seed}/{index}", tokens, self._style)


_COMMON = (
    "time year people way day man thing woman life child world school state family student group "
    "country problem hand part place case week company system program question work government "
    "number night point home water room mother area money story fact month lot right study book "
    "eye job word business issue side kind head house service friend father power hour game line "
    "end member law car city community name president team minute idea body information back "
    "parent face others level office door health person art war history party result change "
    "morning reason research girl moment air teacher force education"
)
_WORDS = _COMMON.split()
