"""The TCP connection that a call came over, for what faults do to it."""

import select
import socket
import struct
from contextlib import suppress

_NO_LINGER = struct.pack("ii", 1, 0)


class Connection:
    def __init__(self, connected: socket.socket):
        self._socket = connected

    def reset(self) -> None:
        """Ends it with an RST. The descriptor is closed right here: a shutdown would send a FIN first, and the client
        would see an orderly end."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        socket.close(self._socket.detach())

    def wait_until_gone(self) -> None:
        """Until the client has closed its end, or `end` was called here."""
        poll = select.poll()
        poll.register(self._socket, select.POLLRDHUP)
        poll.poll()

    def end(self) -> None:
        """Wakes whoever waits for the client to go away."""
        with suppress(OSError):  # it may be gone already
            self._socket.shutdown(socket.SHUT_RDWR)
