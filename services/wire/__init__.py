"""One streamed request on a socket, timed by the kernel; LiteLLM for other formats.

In comes a target and a body; out goes an `Exchange`: when each token came, what the server said,
and how it failed, if it did. Nothing is raised for what a server does. `client` sends, `stream`
reads bytes with the time of their arrival (`clock`), and `exchange` turns them into the times of
tokens.
"""

from services.wire.client import Wire, wait_until
from services.wire.route import Fitting
from services.wire.timeouts import Timeouts

__all__ = ["Fitting", "Timeouts", "Wire", "wait_until"]
