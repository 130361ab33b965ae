"""What tables of runs on several pages have in common."""

from __future__ import annotations

STATUSES = {
    "done": "#2e9e6b",
    "failed": "#d64545",
    "cancelled": "#c07a1a",
    "interrupted": "#c07a1a",
    "running": "#3b82f6",
    "queued": "#7b8794",
}
NUMBERS = {
    "Output tokens/s": "output_tokens_per_s",
    "TTFT, median (s)": "ttft_s_median",
    "E2E, median (s)": "e2e_s_median",
    "Failed": "failed",
}
