"""What a server says of a key or of a prompt is not kept."""

from __future__ import annotations

import json
import subprocess
import sys
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.base import redact as redact_module
from services.base.long_secret import BLOCK, shared_blocks
from services.base.redact import (
    LONGEST,
    READ,
    RUN,
    _on_one_line,
    holds,
    known,
    redact,
    without_paths,
    without_secrets,
)
from services.base.secret_patterns import holds_key


@pytest.mark.parametrize(
    "key",
    [
        "sk-0123456789abcdef",
        "sk-proj-AbC_123-xyz789",
        "sk-proj-********************wxyz",
        "sk-ant-api03-abc…xyz",
        "gsk_abcdefghij0123456789",
        "hf_abcdefghijklmnop",
        "xai-abcdefghijklmnop",
        "pk-lf-12345678",
    ],
)
def test_what_looks_like_a_key_is_removed(key: str) -> None:
    redacted = redact(f"Incorrect API key provided: {key}. See the docs.")
    assert redacted.startswith("Incorrect API key provided: [removed]")
    assert redacted.endswith("See the docs.")
    assert key[8:] not in redacted


@pytest.mark.parametrize("token", ["Bearer", "bearer", "BEARER"])
def test_what_follows_bearer_is_removed_whatever_it_is(token: str) -> None:
    assert redact(f'"{token} t0p.secret/x+y=" was sent') == '"Bearer [removed] was sent'


def test_users_and_passwords_in_addresses_are_removed() -> None:
    assert redact("http://u:hunter2@h:8/v1 and a@b.c") == "http://[removed]@h:8/v1 and a@b.c"


def test_a_key_of_any_form_is_removed_when_it_is_known() -> None:
    assert redact("no such key: hunter2-hunter2", ["hunter2-hunter2"]) == "no such key: [removed]"


def test_every_occurrence_of_every_secret_is_removed() -> None:
    assert redact("abcdef, uvwxyz, abcdef", ["abcdef", "uvwxyz"]) == (
        "[removed], [removed], [removed]"
    )


def test_a_long_prompt_is_removed_where_only_its_beginning_is_quoted() -> None:
    prompt = "Write a poem about the confidential merger of the two companies."
    redacted = redact(f"too long: {prompt[:50]}…", [prompt])
    assert redacted == "too long: [removed]…"
    assert "merger" not in redact(f"cannot read {prompt}", [prompt])


@pytest.mark.parametrize(
    "quote",
    [
        "has been diagnosed with a very private illness",
        "line one\\nhas been diagnosed with a very private illness",
        json.dumps("Mrs Łukasiewicz\nhas been diagnosed with a very private illness"),
        repr("Mrs Łukasiewicz\nhas been diagnosed with a very private illness"),
    ],
)
def test_a_prompt_is_removed_wherever_it_is_cut_and_however_it_is_escaped(quote: str) -> None:
    prompt = "Mrs Łukasiewicz\nhas been diagnosed with a very private illness and wants advice."
    redacted = redact(f"invalid input: {quote[:60]}", [prompt])
    assert "private" not in redacted and "diagnosed" not in redacted, redacted


LETTERS = st.text("abcdefghijklmnopqrstuvwxyz ", min_size=RUN, max_size=200)


@given(secret=LETTERS, around=LETTERS, at=st.integers(0, 200), length=st.integers(0, 200))
def test_every_long_part_of_a_secret_is_removed_and_nothing_else(
    secret: str, around: str, at: int, length: int
) -> None:
    quoted = secret[at : at + length]
    message = f"{around[:100]}<{quoted}>{around[100:]}"
    redacted = redact(message, [secret], READ)
    runs = {secret[i : i + RUN] for i in range(len(secret) - RUN + 1)}
    assert not any(redacted[i : i + RUN] in runs for i in range(len(redacted)))
    leaked = any(message[i : i + RUN] in runs for i in range(len(message)))
    assert leaked is holds(message, [secret]) and leaked is (redacted != message)


def test_overlapping_secrets_are_all_removed() -> None:
    first, second = "the merger is on Monday", "is on Monday, and nobody is to know"
    message = "no: the merger is on Monday, and nobody is to know."
    for secrets in ([first, second], [second, first], ["Monday", first, second]):
        assert redact(message, secrets) == "no: [removed]."


def test_very_short_secrets_are_not_removed() -> None:
    message = "an error in a line"
    assert redact(message, ["a", "", "in", "\n" * 20, "a" + "\n" * 20]) == message


@pytest.mark.parametrize(
    "text", ["", "HTTP 500", "risk-free", "the task-based sketch", "CUDA out of memory", "sk-1"]
)
def test_ordinary_text_is_not_redacted(text: str) -> None:
    assert redact(text) == text


def test_a_long_text_is_cut_after_it_was_searched() -> None:
    redacted = redact("x" * (LONGEST - 9) + "my-own-secret" + "y" * 500, ["my-own-secret"])
    assert len(redacted) == LONGEST
    assert redacted.endswith("x[removed…")
    assert redact("x" * LONGEST) == "x" * LONGEST


SPACED = st.text(st.sampled_from("ab \n\t\r\v\f\x1c\x1f é\u3000"), max_size=30)


@given(SPACED)
def test_a_secret_on_one_line_has_single_spaces(secret: str) -> None:
    assert _on_one_line(secret).strip() == " ".join(secret.split())


ANY = st.sampled_from("ab é日😀\ud800")


@given(st.text(ANY, min_size=RUN, max_size=60), st.data())
def test_no_part_of_a_long_secret_is_missed(secret: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(secret) - RUN))
    before = data.draw(st.text(st.sampled_from("xyz"), max_size=9))
    run = secret[at : at + RUN]
    assert any(
        secret[block : block + BLOCK] in run for block in shared_blocks(before + run, secret)
    )
    assert run not in redact(before + run, [secret])


@given(text=st.text(ANY, max_size=100), secret=st.text(ANY, max_size=100))
def test_long_and_short_secrets_are_removed_alike(text: str, secret: str) -> None:
    redacted = without_secrets(text, [secret])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(redact_module, "LONG", 0)
        assert without_secrets(text, [secret]) == redacted


@given(text=SPACED, secret=SPACED)
def test_a_prepared_secret_is_removed_like_a_plain_one(text: str, secret: str) -> None:
    assert without_secrets(text, [known(secret)]) == without_secrets(text, [secret])


def test_a_long_prompt_is_removed_where_a_server_quotes_it_on_one_line() -> None:
    prompt = "".join(f"{line}. The merger\n\tis on Monday.\n" for line in range(10_000))
    message = f"HTTP 400: too long: {' '.join(prompt[100_000:100_150].split())}"
    assert redact(message, [known(prompt)]) == "HTTP 400: too long: [removed]"


@pytest.mark.parametrize(
    "piece", ["key-", "sk-", "hf-*", "bearer ", "://", "a/", "C:\\", "/a", "="]
)
def test_a_long_text_is_searched_quickly(piece: str) -> None:
    """50,000 characters of "key-" took 5 s, and twice as many four times as long."""
    text = piece * (100_000 // len(piece))
    began = process_time()
    holds_key(text)
    without_paths(text)
    assert process_time() - began < 5


@pytest.mark.slow
@pytest.mark.parametrize("length", [redact_module.LONG - 1, redact_module.LONG])
def test_numpy_is_imported_only_for_long_secrets(length: int) -> None:
    """No request of others is to wait for its import."""
    code = (
        "import sys; from services.base.redact import known; "
        "known('x' * int(sys.argv[1])); print('numpy' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(length)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(length >= redact_module.LONG)
