"""A PostgreSQL socket that can go deaf: it still takes what it is sent, and passes nothing on."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path


class Proxy:
    """Listens as PostgreSQL does in `folder` and passes everything to the real socket until told otherwise."""

    def __init__(self, folder: Path, real: str) -> None:
        folder.mkdir()
        self.folder, self.real = folder, real
        self.deaf = threading.Event()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / ".s.PGSQL.5432"))
        self._listener.listen(64)
        self._threads: list[threading.Thread] = []
        self._guard = threading.Lock()
        self._is_closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    def go_deaf(self) -> None:
        """From now on nothing gets through, in either direction; old and new connections stay open."""
        self.deaf.set()

    def recover(self) -> None:
        """New connections work again; the old ones stay deaf, as after a failover of a load balancer."""
        self.deaf = threading.Event()

    def close(self) -> None:
        self._listener.close()
        with self._guard:
            self._is_closed = True  # who is being accepted at this moment is sent away
        for pair in self._pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for pair in self._pairs:
            for end in pair:
                end.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.real)
            with self._guard:
                if self._is_closed:
                    client.close()
                    server.close()
                    return
                self._pairs.append((client, server))
            for source, sink in ((client, server), (server, client)):
                thread = threading.Thread(target=self._pass_on, args=(source, sink, self.deaf), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, deaf: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if not deaf.is_set():
                    sink.sendall(data)
        if not deaf.is_set():
            for end in (source, sink):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
