"""Whose certificates are taken: this machine's, those of a file beside them, or anybody's."""

from __future__ import annotations

import os
import ssl
import stat
from dataclasses import dataclass

from services.base.errors import Invalid

FILE_BYTES = 4 * 2**20  # a machine's whole bundle has a quarter of a megabyte


class UntrustedFile(Invalid):
    """A file that holds no certificates, in a sentence."""


@dataclass(frozen=True, slots=True)
class Trust:
    """`ca_file`: certificates in PEM, an authority's or a server's own. `insecure`: any is taken,
    and the name in it is not looked at."""

    ca_file: str | None = None
    insecure: bool = False

    def context(self) -> ssl.SSLContext:
        """Return what a TLS connection is made with. Reads the file.

        Raises:
            UntrustedFile: it holds no certificates, or cannot be read.
        """
        found = ssl.create_default_context()
        if self.insecure:
            found.check_hostname = False
            found.verify_mode = ssl.CERT_NONE
        elif self.ca_file:
            try:
                found.load_verify_locations(cadata=_certificates(self.ca_file))
            except (OSError, ValueError):  # ssl.SSLError is an OSError
                raise UntrustedFile(
                    "ca_file is not a readable file of certificates (PEM). Give its "
                    "whole path on the machine that sends."
                ) from None  # one sentence for all: what is in other files is nobody's business
            found.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # a server's own is enough
            found.verify_flags &= ~ssl.VERIFY_X509_STRICT  # a lab's authority is seldom perfect
        return found


def why_untrusted(error: ssl.SSLCertVerificationError) -> str:
    """Say why a certificate was not taken, and what to do."""
    return (
        f"its certificate is not trusted ({error.verify_message}). Give the certificate of its "
        "authority (ca_file), or turn the check off for a server of your own (insecure_tls)."
    )


def _certificates(path: str) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe without a writer would hold us
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("no file")
        return file.read(FILE_BYTES).decode("ascii", "ignore")
