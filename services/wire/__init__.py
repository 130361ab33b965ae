"""The wire client: one streamed chat completion over HTTP/1.1, timed by the kernel."""

from services.wire.client import Wire, wait_until
from services.wire.patience import Patience
from services.wire.route import Fitting

__all__ = ["Fitting", "Patience", "Wire", "wait_until"]
