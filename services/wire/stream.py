"""A non-blocking byte stream whose reads carry the time at which the bytes arrived.

Plain TCP and TLS take the same path: TLS runs over memory buffers on top of the same timestamped
reads.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import ExitStack
from errno import EINPROGRESS, EISCONN
from time import perf_counter_ns
from typing import Any, NamedTuple

from services.wire.clock import ANCILLARY_BYTES, ask_for_stamps, received_ns
from services.wire.tunnel import open_tunnel

WINDOW_BYTES = 4 * 2**20  # requested; the system gives less. A full window makes the server wait
READ_BYTES = 256 * 1024  # a small buffer makes a client slow at long contexts (vLLM #39963)
_BUFFER = memoryview(bytearray(READ_BYTES))  # for all reads: allocating one takes 10 µs
_BUFFERS = [_BUFFER]


class Address(NamedTuple):
    """Where to connect, resolved beforehand so that no DNS look-up is part of a measurement."""

    family: int
    sockaddr: tuple[Any, ...]
    host: str  # as written, for the certificate
    tls: ssl.SSLContext | None
    tunnel: bytes = b""  # the CONNECT request for a proxy; b"" without one


class Stream:
    """One connection, for one exchange at a time."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.used = False  # whether it has carried an exchange
        self.part_sent = False  # whether it carries part of a request that will not be completed
        self.connect_s = 0.0
        self.kernel_clock = ask_for_stamps(sock)
        self._tls: ssl.SSLObject | None = None

    @classmethod
    async def connect(cls, address: Address) -> Stream:
        """Open a connection, with a TLS handshake if the address needs one.

        Raises:
            OSError: nothing answers, or the handshake fails (`ssl.SSLError` is an OSError).
        """
        began = perf_counter_ns()
        with ExitStack() as on_failure:
            sock = socket.socket(address.family, socket.SOCK_STREAM)
            on_failure.callback(sock.close)
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW_BYTES)
            await _connect(sock, address.sockaddr)
            if address.tunnel:
                await open_tunnel(sock, address.tunnel)
            stream = cls(sock)
            if address.tls is not None:
                await stream._handshake(address.tls, address.host)
            on_failure.pop_all()
        stream.connect_s = (perf_counter_ns() - began) / 1e9
        return stream

    def fileno(self) -> int:
        return self._sock.fileno()

    def close(self) -> None:
        self._sock.close()

    def ended(self) -> bool:
        """Whether the peer has closed this idle connection, or sent unexpected data."""
        try:
            if self._tls is None:
                return len(self._sock.recv(1, socket.MSG_PEEK)) >= 0
            self.receive()  # consumes session tickets, which a TLS server sends on its own
            return True
        except BlockingIOError:
            return False
        except OSError:
            return True

    def begin(self, data: bytes) -> tuple[int, bytes]:
        """Send as much of `data` as can go at once; return the `perf_counter_ns` just before its
        first byte left, and the bytes that are still to be sent with `send_rest`.

        Raises:
            OSError: the connection broke.
        """
        if self._tls is not None:
            self._tls.write(data)
            data = self._outgoing.read()
        began = perf_counter_ns()
        try:
            sent = self._sock.send(data)
        except BlockingIOError:
            sent = 0
        return began, data[sent:]

    async def send_rest(self, data: bytes) -> None:
        """Send the bytes that `begin` returned."""
        await asyncio.get_running_loop().sock_sendall(self._sock, data)

    def receive(self) -> tuple[int, bytes]:
        """Return (arrival in `perf_counter_ns`, bytes); no bytes mean that the peer has closed the
        stream.

        Raises:
            BlockingIOError: there is nothing to read yet.
            OSError: the connection broke.
        """
        if self.kernel_clock:
            size, ancillary, _, _ = self._sock.recvmsg_into(_BUFFERS, ANCILLARY_BYTES)
        else:
            size, ancillary = self._sock.recv_into(_BUFFER), []
        stamp = received_ns(ancillary)
        if stamp is None:
            stamp = perf_counter_ns()
            self.kernel_clock = self.kernel_clock and not size  # the end of a stream has no stamp
        if self._tls is None or not size:
            return stamp, bytes(_BUFFER[:size])
        self._incoming.write(_BUFFER[:size])
        return stamp, self._decrypt()

    def _decrypt(self) -> bytes:
        assert self._tls is not None
        pieces: list[bytes] = []
        try:
            while piece := self._tls.read(READ_BYTES):
                pieces.append(piece)
        except ssl.SSLWantReadError:
            if not pieces:  # a record without application data, or part of one
                raise BlockingIOError from None
        except ssl.SSLZeroReturnError:
            return b"".join(pieces)  # no pieces: a proper end
        return b"".join(pieces)

    async def _handshake(self, context: ssl.SSLContext, host: str) -> None:
        loop = asyncio.get_running_loop()
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        while True:
            try:
                self._tls.do_handshake()
                wanted = False
            except ssl.SSLWantReadError:
                wanted = True
            if self._outgoing.pending:
                await loop.sock_sendall(self._sock, self._outgoing.read())
            if not wanted:
                return
            data = await loop.sock_recv(self._sock, READ_BYTES)
            if not data:
                raise ConnectionError("the server ended the connection during the TLS handshake")
            self._incoming.write(data)


async def _connect(sock: socket.socket, sockaddr: tuple[Any, ...]) -> None:
    """Connect. A server on this machine has accepted by the loop's next iteration, which saves two
    registrations with the loop (30 µs for each of 5,000 connections)."""
    if sock.connect_ex(sockaddr) == EINPROGRESS:
        await asyncio.sleep(0)
    if sock.connect_ex(sockaddr) not in (0, EISCONN):  # in progress, or an error to be raised
        await asyncio.get_running_loop().sock_connect(sock, sockaddr)
