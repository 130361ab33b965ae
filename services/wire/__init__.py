"""One streamed request on a socket, timed by the kernel; LiteLLM for other formats.

Input: a target and a body. Output: an `Exchange`: when each token arrived, what the server said,
and how the request failed, if it did. Nothing that a server does raises an exception. `client`
sends, `stream` reads bytes with the time of their arrival (`clock`), and `exchange` turns them into
the times of tokens.
"""

from services.wire.client import Wire, wait_until
from services.wire.route import Fitting
from services.wire.timeouts import Timeouts

__all__ = ["Fitting", "Timeouts", "Wire", "wait_until"]
