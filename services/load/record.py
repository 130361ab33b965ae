"""What was measured in a repeat: finished measurements, what was odd about answers, and counts."""

from __future__ import annotations

from collections import Counter

from services.ask.measurement import OK, Measurement, Progress
from services.load.attempt import ONCE, Tries, measurement_of
from services.load.even_sample import EvenSample
from services.load.response_profile import ResponseProfile, profile_of
from services.wire.exchange import Exchange
from services.wire.in_flight import InFlight


class Record:
    """What a runner has measured so far. Finished measurements are collected until `take` is
    called. `secrets`: what the server gets, and may repeat in its errors."""

    def __init__(self, repeat: int, secrets: tuple[str, ...] = ()) -> None:
        self.finished: list[Measurement] = []
        self.profiles = EvenSample[ResponseProfile]()
        self.lateness_s = EvenSample[float]()  # how long after their due time requests were sent
        self.irregularities: Counter[str] = Counter()  # number of answers with each irregularity
        self.unsent_turns: Counter[str] = Counter()  # number of turns by why they were not sent
        self.warm_up: Counter[str] = Counter()  # number of warm-up requests by OK or error class
        self.failed = self.sent_again = 0
        self._done = self._tokens = 0
        self._repeat = repeat
        self._secrets = secrets

    def take(self) -> list[Measurement]:
        """Return the measurements that finished since the last call."""
        finished, self.finished = self.finished, []
        return finished

    def progress(self, t: float, flying: InFlight) -> Progress:
        """Return the counts at `t`, in seconds since the run began."""
        in_flight = flying.count()
        return Progress(
            t=t,
            repeat=self._repeat,
            sent=in_flight + self._done + self.failed,
            in_flight=in_flight,
            done=self._done,
            failed=self.failed,
            tokens=self._tokens + flying.received(),
            sent_again=self.sent_again,
        )

    def observe(self, exchange: Exchange, counts: bool) -> None:
        """Keep what is odd about an answer, and how it arrived; also of warm-up requests, which do
        not count, and how they ended."""
        if not (counts or exchange.cancelled or exchange.sent is None):
            self.warm_up[exchange.error_class or OK] += 1
        self.irregularities.update(exchange.irregularities)
        if profile := profile_of(exchange):
            self.profiles.add(profile)

    def add(
        self, exchange: Exchange, index: int, due_ns: int, began_ns: int, free_ns: int, tries: Tries
    ) -> None:
        """Add the measurement of a request that was sent, see `measurement_of`."""
        measurement = measurement_of(
            exchange, self._repeat, index, due_ns, began_ns, self._secrets, free_ns, tries
        )
        if measurement.t_send is not None:
            waited_s = measurement.cap_wait_s or 0.0  # as asked for
            if measurement.attempts == 1:
                self.lateness_s.add(measurement.t_send - measurement.t_due - waited_s)
        self.finished.append(measurement)
        if measurement.status == "failed":
            self.failed += 1
        else:
            self._done += measurement.status == "ok"
            self._tokens += measurement.output_tokens or len(measurement.token_times)

    def add_cancelled(self, index: int, t_due: float, tries: Tries = ONCE) -> None:
        """Add a request that was due, but whose last attempt was not sent. `t_due`: in seconds
        since the repeat began."""
        self.finished.append(
            Measurement(
                self._repeat,
                index,
                "cancelled",
                t_due,
                attempts=tries.attempts,
                first_error_class=tries.first_error_class,
                retry_wait_s=tries.wait_s if tries.attempts > 1 else None,
            )
        )
