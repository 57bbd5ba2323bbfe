"""A TCP proxy that delays, drops or swallows what a server answers."""

from __future__ import annotations

import socket
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Literal

#: What happens to an answer: it comes so many seconds late, nobody gets it, or the
#: connection is closed in its place.
Fault = float | Literal["swallow", "close"]


class Proxy:
    """A proxy in front of a server; a context manager.

    :param server: the address of the server.
    """

    def __init__(self, server: tuple[str, int]) -> None:
        #: The faults of the next answers, in their order. Later answers have none.
        self.faults: deque[Fault] = deque()
        #: The fault of all answers, if there is one.
        self.always: Fault | None = None
        #: How many connections were made.
        self.connections = 0
        self._server: Final = server
        self._listener: Final = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._silent: set[int] = set()
        self._held: set[int] = set()
        self._go: Final = threading.Event()
        self._stopped: Final = threading.Event()

    @property
    def port(self) -> int:
        """Where the proxy listens, at 127.0.0.1."""
        return int(self._listener.getsockname()[1])

    def silence(self) -> None:
        """Drop each current connection silently on both sides."""
        self._silent |= {id(end) for end in self._open}

    def hold(self) -> None:
        """Delay data on current connections, as on a bad network."""
        self._go.clear()
        self._held |= {id(end) for end in self._open}

    def let_go(self) -> None:
        """Let it arrive, although the sender has given up."""
        self._held.clear()
        self._go.set()

    def __enter__(self) -> Proxy:
        self._acceptor = _start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self.let_go()
        _close(self._listener)
        self._acceptor.join()  # It may be opening a connection.
        for each in self._open:
            _close(each)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                self._open.append(client)
                try:
                    server = socket.create_connection(self._server)
                except ConnectionRefusedError:
                    client.close()
                    continue
                self._open.append(server)
                self.connections += 1
                _start(self._pass_on, client, server, False)
                _start(self._pass_on, server, client, True)

    def _pass_on(
        self, source: socket.socket, target: socket.socket, answers: bool
    ) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                fault = self._next_fault() if answers else None
                if not answers and id(source) in self._held:
                    self._go.wait()
                if fault == "close":
                    break
                if isinstance(fault, float):
                    self._stopped.wait(fault)
                if fault != "swallow" and id(source) not in self._silent:
                    target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)

    def _next_fault(self) -> Fault | None:
        return self.faults.popleft() if self.faults else self.always


def _start(run: Callable[..., None], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=run, args=arguments, daemon=True)
    thread.start()
    return thread


def _close(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
