"""Prompts as long as those of a trace, with the same shared prefixes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.ask.config import RunConfig
from services.ask.config.traces import BLOCK_TOKENS, TraceRow
from services.ask.workloads.synthetic import NONCE_TOKENS, text


def has_blocks(config: RunConfig) -> bool:
    """Return whether the trace states which prompts begin alike."""
    return bool(config.trace and config.trace[0].blocks)


class Traced(Sequence[str]):
    """The prompts of a trace, generated on access. Blocks with the same id have the same text, so
    that a server's cache works as it did for the real prompts, whose text is unknown."""

    def __init__(self, config: RunConfig) -> None:
        self._config = config
        self._seed = config.seed or 0
        self._nonce = NONCE_TOKENS * config.unique_prompts

    def __len__(self) -> int:
        return len(self._config.replayed)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        row = self._config.replayed[index]
        return self._prompt(self._config.trace[row], row)

    def _prompt(self, row: TraceRow, number: int) -> str:
        if not row.blocks:
            tokens = max(1, row.input_tokens - self._nonce)
            return text(f"{self._seed}/trace/{number}", tokens)
        sizes = _sizes(row.input_tokens, len(row.blocks), self._nonce)
        parts = zip(row.blocks, sizes, strict=True)
        return " ".join(text(f"{self._seed}/block/{each}", size) for each, size in parts if size)


def _sizes(tokens: int, blocks: int, nonce: int) -> list[int]:
    """The tokens of each block. The last may be shorter; the nonce is part of the first."""
    sizes = [max(0, min(BLOCK_TOKENS, tokens - before * BLOCK_TOKENS)) for before in range(blocks)]
    sizes[0] = max(1, sizes[0] - nonce)
    return sizes
