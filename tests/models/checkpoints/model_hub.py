"""A stand-in for the hub that gives models away, over the hub's own HTTP API, from memory.

with model_hub({"someone/tiny": {"config.json": b"{}"}}) as (address, sent): ...
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

COMMIT = "0123456789abcdef0123456789abcdef01234567"
Repositories = Mapping[str, Mapping[str, bytes]]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    repositories: Repositories
    sent: list[str]

    def log_message(self, *_: object) -> None: ...

    def answer(self) -> None:
        path = unquote(self.path.split("?")[0])
        if found := re.match(r"/api/models/([^/]+/[^/]+)(/revision/[^/]+)?$", path):
            if files := self.repositories.get(found[1]):
                listed = [{"rfilename": name} for name in files]
                return self.say(
                    json.dumps({"id": found[1], "sha": COMMIT, "siblings": listed}).encode()
                )
        elif found := re.match(r"/api/models/([^/]+/[^/]+)/tree/[^/]+$", path):
            tree = [
                {"type": "file", "path": name, "size": len(content), "oid": COMMIT}
                for name, content in self.repositories.get(found[1], {}).items()
            ]
            return self.say(json.dumps(tree).encode(), 200 if tree else 404)
        elif found := re.match(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)$", path):
            content = self.repositories.get(found[1], {}).get(found[2])
            if content is not None:
                if self.command == "GET":
                    self.sent.append(found[2])
                return self.say(content)
        return self.say(b"{}", 404)

    def say(self, content: bytes, code: int = 200) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = answer


@contextlib.contextmanager
def model_hub(repositories: Repositories) -> Iterator[tuple[str, list[str]]]:
    """Its address, and the names of the files that were fetched."""
    sent: list[str] = []
    handler = type("Handler", (_Handler,), {"repositories": repositories, "sent": sent})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", sent
    finally:
        server.shutdown()
        server.server_close()
