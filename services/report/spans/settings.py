"""Where spans are sent: the variables that every OpenTelemetry exporter reads.

https://opentelemetry.io/docs/specs/otel/protocol/exporter/. Each variable of VARIABLES except the
last four has a variant for traces only (OTEL_EXPORTER_OTLP_TRACES_…), which takes precedence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from services.base.errors import Unavailable

PREFIX, OF_TRACES = "OTEL_EXPORTER_OTLP_", "OTEL_EXPORTER_OTLP_TRACES_"
EXPORTER = ("ENDPOINT", "HEADERS", "TIMEOUT", "COMPRESSION", "CERTIFICATE", "PROTOCOL")
NAME, RESOURCE, OFF = "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_SDK_DISABLED"
TEXTS = "PACELINE_TRACES_TEXTS"
VARIABLES = (
    *(prefix + name for name in EXPORTER for prefix in (PREFIX, OF_TRACES)),
    NAME,
    RESOURCE,
    OFF,
    TEXTS,
)
PATH = "/v1/traces"  # below OTEL_EXPORTER_OTLP_ENDPOINT
DEFAULT_TIMEOUT_MS, LONGEST_TIMEOUT_MS = 10_000, 600_000
_FORBIDDEN = ("content-type", "content-encoding", "content-length", "host", "transfer-encoding")


class InvalidSpanSettings(Unavailable):
    """An invalid setting of the exporter; the message does not repeat a header."""


@dataclass(frozen=True, slots=True)
class SpanSettings:
    """Settings of the exporter. `url`: where batches are posted. `texts`: whether prompts and
    answers are included."""

    url: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # they may hold keys
    timeout_s: float = DEFAULT_TIMEOUT_MS / 1000
    gzip: bool = True
    ca_file: str | None = None
    resource: tuple[tuple[str, str], ...] = (("service.name", "paceline"),)
    texts: bool = False

    @property
    def receiver(self) -> str:
        """Host and port, for sentences and the database."""
        return urlsplit(self.url).netloc

    @property
    def secrets(self) -> tuple[str, ...]:
        """What a receiver may repeat and must not be stored: each header, and what follows its
        scheme (Basic, Bearer)."""
        values = [value for _, value in self.headers]
        return tuple(dict.fromkeys([*values, *(value.rpartition(" ")[2] for value in values)]))


def is_on(env: Mapping[str, str]) -> bool:
    """Return whether runs are exported when they have ended: an endpoint is set, and OpenTelemetry
    is not disabled."""
    return bool(_value(env, "ENDPOINT")[1]) and env.get(OFF, "").strip().lower() != "true"


def span_settings(env: Mapping[str, str]) -> SpanSettings:
    """Return the settings.

    Raises:
        InvalidSpanSettings: no endpoint is set, or a setting is invalid.
    """
    _check_protocol(env)
    compression_name, compression = _value(env, "COMPRESSION")
    if compression not in ("", "gzip", "none"):
        raise InvalidSpanSettings(f"{compression_name} must be gzip or none.")
    return SpanSettings(
        _url(env),
        _headers(env),
        _timeout_s(env),
        compression != "none",
        _value(env, "CERTIFICATE")[1] or None,
        _resource(env),
        env.get(TEXTS, "").strip().lower() == "yes",
    )


def _value(env: Mapping[str, str], name: str) -> tuple[str, str]:
    """Return the variable that applies, and its value or ""."""
    names = (f"{OF_TRACES}{name}", f"{PREFIX}{name}")
    return next(((each, value) for each in names if (value := env.get(each, "").strip())), ("", ""))


def _url(env: Mapping[str, str]) -> str:
    name, written = _value(env, "ENDPOINT")
    if not written:
        raise InvalidSpanSettings(
            f"No receiver for traces is configured. Put its address in {PREFIX}ENDPOINT in .env, "
            "such as http://127.0.0.1:6006."
        )
    wrong = f"{name} is not the address of a receiver, such as http://127.0.0.1:6006"
    try:
        parts = urlsplit(written)
        port = parts.port
    except ValueError:
        raise InvalidSpanSettings(f"{wrong}.") from None
    known = parts.scheme in ("http", "https") and parts.hostname and port != 0
    if not known or not written.isascii() or not written.isprintable() or " " in written:
        raise InvalidSpanSettings(f"{wrong}. It must begin with http:// or https://.")
    if parts.username is not None or parts.query or parts.fragment:
        raise InvalidSpanSettings(
            f"{wrong}, without a user, a query or a fragment. Keys belong in {PREFIX}HEADERS."
        )
    path = parts.path or "/"
    if name == f"{PREFIX}ENDPOINT":
        path = parts.path.rstrip("/") + PATH
    return parts._replace(path=path).geturl()


def _headers(env: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    name, written = _value(env, "HEADERS")
    pairs = _pairs(name, written)
    for key, value in pairs:
        token = key.replace("-", "").replace("_", "").replace(".", "")
        if not (token.isascii() and token.isalnum()) or key.lower() in _FORBIDDEN:
            raise InvalidSpanSettings(f"{name} holds a header that cannot be sent. Correct it.")
        if not value.isascii() or not value.isprintable():
            raise InvalidSpanSettings(
                f"{name} contains a character that is not allowed in a header."
            )
    return pairs


def _pairs(name: str, written: str) -> tuple[tuple[str, str], ...]:
    """Return key=value pairs between commas, percent-decoded, as in W3C Baggage."""
    pairs = []
    for entry in filter(str.strip, written.split(",")):
        key, equals, value = entry.partition("=")
        if not equals or not key.strip():
            raise InvalidSpanSettings(f"{name} must be name=value pairs, separated by commas.")
        pairs.append((unquote(key.strip()), unquote(value.strip())))
    return tuple(pairs)


def _timeout_s(env: Mapping[str, str]) -> float:
    name, written = _value(env, "TIMEOUT")
    if not written:
        return DEFAULT_TIMEOUT_MS / 1000
    if not written.isdecimal() or not 0 < int(written) <= LONGEST_TIMEOUT_MS:
        raise InvalidSpanSettings(
            f"{name} must be a number of milliseconds, from 1 to {LONGEST_TIMEOUT_MS:,}."
        )
    return int(written) / 1000


def _check_protocol(env: Mapping[str, str]) -> None:
    name, protocol = _value(env, "PROTOCOL")
    if protocol not in ("", "http/protobuf"):
        raise InvalidSpanSettings(
            f"{name} is {protocol[:40]!r}, but Paceline sends http/protobuf only. Set it to that, "
            "and the address to the receiver's port for HTTP, often 4318."
        )


def _resource(env: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The service's name is from its own variable, otherwise from the attributes."""
    attributes = {"service.name": "paceline", **dict(_pairs(RESOURCE, env.get(RESOURCE, "")))}
    if name := env.get(NAME, "").strip():
        attributes["service.name"] = name
    return tuple(attributes.items())
