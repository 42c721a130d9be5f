"""A server that keeps whoever asks it waiting for ever, and never lets a read time out."""

from __future__ import annotations

import contextlib
import socket
import threading


class Dripping:
    """A server that never comes to an end: whatever is asked, it sends a byte now and then."""

    def __init__(self, first=b"HTTP/1.1 200 OK\r\n\r\n"):
        self._first = first
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._ended = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(
                    target=self._drip, args=(self._socket.accept()[0],), daemon=True
                ).start()

    def _drip(self, connection):
        with connection, contextlib.suppress(OSError):
            connection.sendall(self._first)
            while not self._ended.wait(0.05):
                connection.sendall(b"x")

    def close(self):
        self._ended.set()
        self._socket.close()
