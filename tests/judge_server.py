"""A small OpenAI-compatible server in this process, whose replies are scripted."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Reply:
    """What the server says to one request."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    parts: list[bytes] | None = None
    wait: float = 0.0


def chat(text: Any) -> Reply:
    return Reply(json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]}).encode())


@dataclass
class Server:
    """Where it is, and what it was sent."""

    base: str
    seen: list[dict[str, Any]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)


@contextlib.contextmanager
def serving(respond: Callable[[dict[str, Any], int], Reply]) -> Iterator[Server]:
    """Serve until the block ends; ``respond`` is given a request's body and its number."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            body = json.loads(self.rfile.read(length))
            server.seen.append({"path": self.path, "headers": dict(self.headers), "body": body})
            reply = respond(body, len(server.seen) - 1)
            if reply.wait:
                server.released.wait(reply.wait)
            with contextlib.suppress(OSError):
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                for part in reply.parts if reply.parts is not None else [reply.body]:
                    self.wfile.write(part)
                    self.wfile.flush()
                    if reply.parts is not None:
                        server.released.wait(0.15)

        do_GET = do_POST

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    inner = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    inner.daemon_threads = True
    server = Server(f"http://127.0.0.1:{inner.server_port}/v1")
    thread = threading.Thread(target=inner.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        inner.shutdown()
        inner.server_close()
        thread.join()
