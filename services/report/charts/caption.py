"""A chart's title and explanation as text above the chart, which wraps at any width; inside the
chart they are short lines that fit a phone."""

from __future__ import annotations

from typing import Any

Spec = dict[str, Any]


def split_caption(spec: Spec) -> tuple[str, Spec]:
    """Return a chart's title and subtitle as sentences, and its spec without them. A title that is
    a question is left out, since it is already above the chart."""
    title = spec.get("title")
    if not isinstance(title, dict) or not title.get("subtitle"):
        return "", spec
    text, subtitle = " ".join(title["text"]), " ".join(title["subtitle"])
    sentences = subtitle if text.endswith("?") else f"{text}. {subtitle}"
    return sentences, {name: value for name, value in spec.items() if name != "title"}
