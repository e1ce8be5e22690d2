"""A stand-in for the hub that takes pushes of data sets, over the hub's own HTTP API, in memory."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

COMMIT = "0" * 40
Files = dict[str, bytes]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    repositories: dict[str, Files]

    def log_message(self, *_: object) -> None: ...

    @property
    def address(self) -> str:
        return f"http://{self.headers['Host']}/datasets"

    def answer(self) -> None:
        path = self.path.split("?")[0]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if path == "/api/repos/create":
            fields = json.loads(body)
            name = f"{fields.get('organization') or 'me'}/{fields['name']}"
            self.repositories.setdefault(name, {})
            return self.say({"url": f"{self.address}/{name}"})
        if path == "/api/validate-yaml":
            return self.say({"errors": [], "warnings": []})
        if found := re.match(r"/api/datasets/([^/]+/[^/]+)(/.*)?$", path):
            if (files := self.repositories.get(found[1])) is None:
                return self.say({"error": "no such repository"}, 404)
            return self.say(self.of_repository(files, found[1], found[2] or "", body))
        if found := re.match(r"/datasets/([^/]+/[^/]+)/resolve/[^/]+/(.+)$", path):
            content = self.repositories.get(found[1], {}).get(unquote(found[2]))
            if content is None:
                return self.say({"error": "no such file"}, 404)
            return self.say(content, tag=hashlib.sha1(content).hexdigest())
        return self.say({"error": path}, 404)

    def of_repository(self, files: Files, name: str, what: str, body: bytes) -> Any:
        if what.startswith("/preupload/"):
            asked = json.loads(body)["files"]
            modes = {"uploadMode": "regular", "shouldIgnore": False}
            return {"files": [{"path": file["path"]} | modes for file in asked]}
        if what.startswith("/commit/"):
            for line in map(json.loads, body.decode().splitlines()):
                if line["key"] == "file":
                    files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            return {"commitOid": COMMIT, "commitUrl": f"{self.address}/{name}/commit/{COMMIT}"}
        if what.startswith("/tree/"):
            return [
                {"type": "file", "path": path, "size": len(content), "oid": COMMIT}
                for path, content in sorted(files.items())
            ]
        return {"id": name, "sha": COMMIT, "siblings": [{"rfilename": path} for path in files]}

    def say(self, what: Any, code: int = 200, tag: str = "") -> None:
        content = what if isinstance(what, bytes) else json.dumps(what).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(content)))
        if tag:
            self.send_header("ETag", f'"{tag}"')
            self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_POST = do_HEAD = answer


@contextlib.contextmanager
def hub() -> Iterator[tuple[str, dict[str, Files]]]:
    """Its address, and what is in its repositories of data sets."""
    repositories: dict[str, Files] = {}
    handler = type("Handler", (_Handler,), {"repositories": repositories})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", repositories
    finally:
        server.shutdown()
        server.server_close()
