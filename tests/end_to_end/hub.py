"""A stand-in for the hub that takes pushes of data sets and models, over the hub's own HTTP API, in memory.

Large files of models travel by the Git LFS protocol's basic transfer, as to the hub; a card is refused for
the reason for which the hub refuses most: a parent that is no name on the hub.
"""

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

import yaml

COMMIT = "0" * 40
NAME = re.compile(r"[\w.-]+/[\w.-]+")


class Files(dict[str, bytes]):
    """A repository's files by path."""

    private = False


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    repositories: dict[str, Files]
    large: dict[str, bytes]

    def log_message(self, *_: object) -> None: ...

    def address(self, kind: str) -> str:
        return f"http://{self.headers['Host']}" + ("/datasets" if kind == "datasets" else "")

    def answer(self) -> None:
        path = self.path.split("?")[0]
        body = self.body()
        if path == "/api/repos/create":
            fields = json.loads(body)
            name = f"{fields.get('organization') or 'me'}/{fields['name']}"
            is_new = name not in self.repositories
            if is_new:
                self.repositories[name] = Files()
                self.repositories[name].private = fields.get("visibility") == "private"
            kind = f"{fields.get('type', 'model')}s"
            told = {"url": f"{self.address(kind)}/{name}", "error": "there is one of this name"}
            return self.say(told, 200 if is_new else 409)
        if path == "/api/validate-yaml":
            return self.say(*self.about_card(json.loads(body)["content"]))
        if path.startswith("/lfs/"):
            self.large[path.removeprefix("/lfs/")] = body
            return self.say({})
        if found := re.match(r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch$", path):
            return self.say(self.of_large_files(json.loads(body)))
        if found := re.match(r"/api/(datasets|models)/([^/]+/[^/]+)(/.*)?$", path):
            if (files := self.repositories.get(found[2])) is None:
                return self.say({"error": "no such repository"}, 404)
            return self.say(self.of_repository(files, found[1], found[2], found[3] or "", body))
        if found := re.match(r"(?:/datasets)?/([^/]+/[^/]+)/resolve/[^/]+/(.+)$", path):
            content = self.repositories.get(found[1], {}).get(unquote(found[2]))
            if content is None:
                return self.say({"error": "no such file"}, 404)
            return self.say(content, tag=hashlib.sha1(content).hexdigest())
        return self.say({"error": path}, 404)

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def about_card(self, content: str) -> tuple[Any, int]:
        header = yaml.safe_load(content.split("---")[1]) if content.startswith("---") else {}
        parents = header.get("base_model") or []
        odd = [name for name in parents if not NAME.fullmatch(name)]
        errors = [{"message": f'"base_model" with value "{name}" is not valid.'} for name in odd]
        return {"errors": errors, "warnings": []}, 400 if odd else 200

    def of_large_files(self, asked: dict[str, Any]) -> Any:
        objects = [
            {
                "oid": one["oid"],
                "size": one["size"],
                "actions": {"upload": {"href": f"{self.address('models')}/lfs/{one['oid']}"}},
            }
            for one in asked["objects"]
        ]
        return {"transfer": "basic", "objects": objects}

    def of_repository(self, files: Files, kind: str, name: str, what: str, body: bytes) -> Any:
        if what.startswith("/preupload/"):
            asked = json.loads(body)["files"]
            return {"files": [{"path": file["path"]} | self.mode(file["path"]) for file in asked]}
        if what.startswith("/commit/"):
            for line in map(json.loads, body.decode().splitlines()):
                value = line["value"]
                if line["key"] == "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                elif line["key"] == "lfsFile":
                    files[value["path"]] = self.large[value["oid"]]
            url = f"{self.address(kind)}/{name}/commit/{COMMIT}"
            return {"commitOid": COMMIT, "commitUrl": url}
        if what.startswith("/tree/"):
            return [
                {"type": "file", "path": path, "size": len(content), "oid": COMMIT}
                for path, content in sorted(files.items())
            ]
        siblings = [{"rfilename": path} for path in files]
        return {"id": name, "sha": COMMIT, "private": files.private, "siblings": siblings}

    def mode(self, path: str) -> dict[str, Any]:
        is_large = path.endswith((".safetensors", ".png"))
        return {"uploadMode": "lfs" if is_large else "regular", "shouldIgnore": False}

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

    do_GET = do_POST = do_HEAD = do_PUT = answer


@contextlib.contextmanager
def hub() -> Iterator[tuple[str, dict[str, Files]]]:
    """Its address, and what is in its repositories."""
    repositories: dict[str, Files] = {}
    handler = type("Handler", (_Handler,), {"repositories": repositories, "large": {}})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", repositories
    finally:
        server.shutdown()
        server.server_close()
