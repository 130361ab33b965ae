"""The wire client: one streamed chat completion over HTTP/1.1, timed by the kernel."""

from services.wire.client import Wire, wait_until
from services.wire.patience import Patience

__all__ = ["Patience", "Wire", "wait_until"]
