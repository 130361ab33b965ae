"""Real English prose of a chosen length: passages of a novel that is out of copyright.

`prose.txt` has 2,249 sentences of Jane Austen's "Pride and Prejudice" (1813, in the public domain),
in their order and without dialogue, each after its number of tokens: the median in the tokenizers
of GPT-4o, GPT-4 (which Qwen's equals here), Claude 2, Mistral NeMo and SmolLM2. Sentences on which
one of these differs from it by more than a token are left out.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import cache
from itertools import accumulate
from pathlib import Path
from random import Random

FILE = Path(__file__).with_name("prose.txt")


def passage(draw: Random, tokens: int) -> str:
    """Return about `tokens` tokens of consecutive sentences, starting at a random one; the last is
    cut. After the last sentence of the text, the first follows."""
    sentences, ends = _sentences()
    start = draw.randrange(len(sentences))
    before = ends[start - 1] if start else 0
    rounds, target = divmod(before + tokens, ends[-1])
    stop = bisect_right(ends, target)
    stretch = [*sentences * rounds, *sentences[:stop]][start:]
    left = target - (ends[stop - 1] if stop else 0)
    size = ends[stop] - (ends[stop - 1] if stop else 0)
    words = sentences[stop].split()
    return " ".join([*stretch, *words[: round(left / size * len(words))]])


@cache
def _sentences() -> tuple[list[str], list[int]]:
    """The sentences, and the number of tokens up to the end of each."""
    counted = [line.partition(" ") for line in FILE.read_text("utf-8").splitlines()]
    return [text for _, _, text in counted], list(accumulate(int(n) for n, _, _ in counted))
