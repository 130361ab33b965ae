"""The certificates to trust: this machine's, additionally those in a file, or any."""

from __future__ import annotations

import os
import ssl
import stat
from dataclasses import dataclass

from services.base.errors import Invalid

FILE_BYTES = 4 * 2**20  # a system's complete bundle has about a quarter of a megabyte


class UntrustedFile(Invalid):
    """A file without valid certificates; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class Trust:
    """`ca_file`: PEM file with certificates of an authority or of the server itself. `insecure`:
    accept any certificate and host name."""

    ca_file: str | None = None
    insecure: bool = False

    def context(self) -> ssl.SSLContext:
        """Return the SSL context for connections, which includes reading the file.

        Raises:
            UntrustedFile: the file contains no certificates, or cannot be read.
        """
        context = ssl.create_default_context()
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif self.ca_file:
            try:
                context.load_verify_locations(cadata=_certificates(self.ca_file))
            except (OSError, ValueError):  # ssl.SSLError is an OSError
                raise UntrustedFile(
                    "ca_file is not a readable file of certificates (PEM). Give its full path "
                    "on the machine that sends the requests."
                ) from None  # one message for all cases, which reveals nothing about other files
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # a server's own is enough
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # for internal authorities
        return context


def why_untrusted(error: ssl.SSLCertVerificationError) -> str:
    """Return why a certificate was not accepted, and what to do."""
    return (
        f"its certificate is not trusted ({error.verify_message}). Set ca_file to the "
        "certificate of its authority, or turn the check off for your own server "
        "(insecure_tls)."
    )


def _certificates(path: str) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe without a writer would block
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("no file")
        return file.read(FILE_BYTES).decode("ascii", "ignore")
