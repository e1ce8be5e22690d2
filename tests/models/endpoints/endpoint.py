"""An OpenAI-compatible endpoint on loopback that misbehaves as told: real HTTP, no model.

    with Endpoint(latency_s=0.2, faults={3: limit(0.1), 5: status(500), 7: hang, 9: cut_off}) as server:
        ...  # at server.url; `faults` are by the number of the request, from 0

Embeddings are hashes of the text, so that each text has one direction of its own. Chats are answered by
`chat`, a function from the last message to the answer.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

Fault = Callable[[BaseHTTPRequestHandler, bytes], None]


def vector_of(text: str, dimensions: int = 8) -> np.ndarray:
    """[dimensions] float32 of unit length."""
    row = np.frombuffer(hashlib.shake_256(text.encode()).digest(dimensions), np.uint8) - 127.5
    return (row / np.linalg.norm(row)).astype(np.float32)


def send(handler: BaseHTTPRequestHandler, code: int, body: bytes, **headers: str) -> None:
    handler.send_response(code)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def status(code: int, error_code: str | None = None, message: str = "on purpose") -> Fault:
    """Answer with an error of this status."""
    body = json.dumps({"error": {"message": message, "code": error_code}}).encode()
    return lambda handler, right: send(handler, code, body)


def limit(seconds: float) -> Fault:
    """Answer 429 with a Retry-After."""
    body = json.dumps({"error": {"message": "slow down"}}).encode()
    return lambda handler, right: send(handler, 429, body, Retry_After=str(seconds))


def hang(handler: BaseHTTPRequestHandler, right: bytes) -> None:
    """Say nothing until the other side goes away."""
    handler.connection.settimeout(30)
    handler.connection.recv(1)


def trickle(handler: BaseHTTPRequestHandler, right: bytes) -> None:
    """Send the right answer, a byte every 50 ms."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(right)))
    handler.end_headers()
    for byte in right:
        handler.wfile.write(bytes([byte]))
        time.sleep(0.05)


def cut_off(handler: BaseHTTPRequestHandler, right: bytes) -> None:
    """Announce the whole answer, send half of it, and hang up."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(right)))
    handler.end_headers()
    handler.wfile.write(right[: len(right) // 2])
    handler.close_connection = True


def half_json(handler: BaseHTTPRequestHandler, right: bytes) -> None:
    """Send half an answer as if it were whole."""
    send(handler, 200, right[: len(right) // 2])


def one_short(handler: BaseHTTPRequestHandler, right: bytes) -> None:
    """Leave the last embedding out."""
    answer = json.loads(right)
    answer["data"].pop()
    send(handler, 200, json.dumps(answer).encode())


def reply(answer: object, **headers: str) -> Fault:
    """Answer 200 with this JSON, or these bytes."""
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return lambda handler, right: send(handler, 200, body, **headers)


def endless(handler: BaseHTTPRequestHandler, right: bytes) -> None:
    """Begin the right answer and never end it, as fast as it is read."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.end_headers()
    handler.close_connection = True
    while True:
        handler.wfile.write(b" " * (1 << 16))


def bomb(megabytes: int, code: int = 200) -> Fault:
    """Answer with so much text, which gzip makes a thousandth of; made once, sent many times."""
    packer = zlib.compressobj(level=1, wbits=zlib.MAX_WBITS | 16)
    parts = [packer.compress(b'{"choices":[{"message":{"content":"')]
    parts += [packer.compress(b"A" * (1 << 20)) for _ in range(megabytes)]
    body = b"".join([*parts, packer.compress(b'"}}]}'), packer.flush()])
    return lambda handler, right: send(handler, code, body, Content_Encoding="gzip")


def say(content: str | None, finish_reason: str = "stop", refusal: str | None = None) -> Fault:
    """Answer a chat with these words in place of the right ones."""

    def answer(handler: BaseHTTPRequestHandler, right: bytes) -> None:
        send(handler, 200, completion(content, finish_reason, refusal))

    return answer


def completion(
    content: str | None, finish_reason: str = "stop", refusal: str | None = None
) -> bytes:
    """A chat completion of 100 tokens in and 10 out."""
    message = {"role": "assistant", "content": content, "refusal": refusal}
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    answer = {"id": "1", "object": "chat.completion", "created": 0, "model": "m"}
    return json.dumps(answer | {"choices": [choice], "usage": usage}).encode()


class Endpoint:
    """The server; `requests`, `paths` and `headers` hold what was asked, `texts` counts texts that were
    answered rightly.
    """

    def __init__(
        self,
        latency_s: float = 0.0,
        faults: dict[int, Fault] | Callable[[int], Fault | None] | None = None,
        refuse: str | None = None,
        dimensions: int = 8,
        chat: Callable[[str], str] = lambda text: "Yes.",
    ) -> None:
        self.requests: list[dict] = []
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.texts: Counter[str] = Counter()
        self.most_at_once = 0
        self._at_once = 0
        self._latency_s, self._refuse, self._dimensions = latency_s, refuse, dimensions
        self._chat = chat
        self._fault = faults if callable(faults) else (faults or {}).get
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # header and body in two packets would wait 40 ms

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer._answer(self, body)

            def log_message(self, *arguments: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *arguments: object) -> None:
                pass  # clients that hang up are part of the tests

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> Endpoint:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, handler: BaseHTTPRequestHandler, body: dict) -> None:
        begin = time.monotonic()
        with self._lock:
            number = len(self.requests)
            self.requests.append(body)
            self.paths.append(handler.path)
            self.headers.append(dict(handler.headers))
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        if "messages" in body:
            texts = [body["messages"][-1]["content"]]
            right = completion(self._chat(texts[0]))
        else:
            texts = body["input"]
            right = json.dumps({"object": "list", "data": self._items(body), "model": "m"}).encode()
        time.sleep(max(0.0, begin + self._latency_s - time.monotonic()))
        with self._lock:
            self._at_once -= 1
        if self._refuse is not None and any(self._refuse in text for text in texts):
            return status(400, message="too long")(handler, b"")
        fault = self._fault(number)
        if fault is not None:
            return fault(handler, right)
        with self._lock:
            self.texts.update(texts)
        send(handler, 200, right)

    def _items(self, body: dict) -> list[dict]:
        items = []
        for index, text in enumerate(body["input"]):
            vector = vector_of(text, body.get("dimensions", self._dimensions))
            embedding: object = [float(x) for x in vector]
            if body.get("encoding_format") == "base64":
                embedding = base64.b64encode(vector.tobytes()).decode()
            items.append({"object": "embedding", "index": index, "embedding": embedding})
        return items[::-1]  # their order is not promised
