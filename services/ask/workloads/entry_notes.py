"""What cannot be used in the entries of a prompt file, or was ignored."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from services.base.units import many


class UnusableEntry(ValueError):
    """An entry that cannot be used. The message follows the entry's location: `has …`."""


@dataclass
class Notes:
    """Counts of what was ignored in a file's entries."""

    names: Counter[str] = field(default_factory=Counter)
    keys: Counter[str] = field(default_factory=Counter)  # of messages
    without: int = 0  # conversations without a user turn
    speakers: Counter[str] = field(default_factory=Counter)  # at which a conversation was cut
    sessions: int = 0  # conversations of several turns
    spread: int = 0  # entries that were joined with others of their session
    into: int = 0  # sessions that resulted from them
    whole: int = 0  # lists of messages with several turns
    cut: int = 0  # conversations that were too long
    answers: int = 0  # trailing answers that were removed

    @property
    def why_none(self) -> str:
        """The reason for a file all of whose conversations were left out, or ""."""
        if not self.without:
            return ""
        return ': no conversation has a message of the user ("from": "human" or "user")'

    def sentences(self, entries: int) -> list[str]:
        """Return a sentence for each count that is not 0."""
        sentences = []
        if self.names:
            names = ", ".join(
                f"{name} (in {count:,} of {entries:,})" for name, count in self.names.items()
            )
            sentences.append(f"Not used, because these are set for the whole run: {names}.")
        if self.keys:
            keys = ", ".join(f"{key[:40]} (in {count:,})" for key, count in self.keys.items())
            sentences.append(f"Not sent, because messages have no such field: {keys}.")
        if self.speakers:
            names = ", ".join(f"{name} (in {count:,})" for name, count in self.speakers.items())
            sentences.append(f"Conversations are used up to the first message of: {names}.")
        if self.cut:
            sentences.append(f"Later turns left out: {many(self.cut, 'conversation')} too long.")
        if self.sessions:
            sentences.append(
                f"Conversations of several turns: {self.sessions:,} of {entries:,} entries. Each "
                "is a session, cut after “Turns per session” (--turns) if that is set."
            )
        if self.spread:
            sentences.append(
                f"Joined by session_id: {self.spread:,} of {entries:,} entries, into "
                f"{many(self.into, 'session')}."
            )
        if self.whole:
            sentences.append(
                f"Messages with several turns: {self.whole:,} of {entries:,} entries. Each is one "
                "request, or with “Messages turn by turn” (--turn-by-turn) a session."
            )
        if self.without:
            sentences.append(
                f"Left out: {many(self.without, 'conversation')} without a user message."
            )
        if self.answers:
            sentences.append(f"Not sent: {many(self.answers, 'answer')} at the end of messages.")
        return sentences
