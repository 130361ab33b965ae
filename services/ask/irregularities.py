"""Unusual features of answers: they are accepted, and reported because other clients may fail on
them.

The names are stored with a run (`oddities` in a repeat's health); they are explained in
`services/analysis/diagnostics/answers.py`.
"""

from __future__ import annotations

BARE_JSON = "bare_json"
BYTE_ORDER_MARK = "byte_order_mark"
COMPRESSED = "compressed"
CONTENT_TYPE = "content_type"
EMPTY_EVENT = "empty_event"
NOT_STREAMED = "not_streamed"
ONE_NEWLINE = "one_newline"
PING = "ping"
UNENDED = "unended"
UNKNOWN_CHUNK = "unknown_chunk"
