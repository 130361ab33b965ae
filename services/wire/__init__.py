"""The wire client: one streamed chat completion over HTTP/1.1, timed by the kernel."""

from services.wire.client import Wire, wait_until

__all__ = ["Wire", "wait_until"]
