"""A headless Chromium for tests and benchmarks, driven over its own pipe (DevTools protocol).

    with Chromium() as browser:
        browser.open(file); browser.value("document.title")

No driver, no package: `--remote-debugging-pipe` speaks NUL-ended JSON on file descriptors 3 and 4.
Every request that a page makes and everything that it complains of is kept.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PROGRAM = next(filter(None, map(shutil.which, PROGRAMS)), None)
MISSING = "no Chromium on this machine: apt-get install chromium"
KEYS = {"Escape": 27, "Enter": 13, "Tab": 9, " ": 32}


class Chromium:
    """One browser with one tab, without a network.

    Attributes:
        requests: addresses that were asked for, without those of `data:`.
        complaints: errors and warnings of the console, exceptions, broken policies.
    """

    def __init__(self, width: int = 1400, height: int = 900, patience: float = 60.0) -> None:
        assert PROGRAM is not None, MISSING
        self.size, self.patience = (width, height), patience
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self._number, self._buffer, self._answers = 0, b"", dict[int, dict[str, Any]]()
        self._events: list[str] = []
        self._session: str | None = None

    def __enter__(self) -> Chromium:
        self._home = tempfile.TemporaryDirectory(prefix="chromium", ignore_cleanup_errors=True)
        commands, self._out = os.pipe()
        self._in, replies = os.pipe()
        # bash puts our pipes where Chromium looks for them.
        line = f'exec "$0" "$@" 3<&{commands} 4>&{replies}'
        self._process = subprocess.Popen(
            [
                *("bash", "-c", line, str(PROGRAM), "--headless", "--no-sandbox", "--disable-gpu"),
                *(
                    "--remote-debugging-pipe",
                    f"--user-data-dir={self._home.name}",
                    "--no-first-run",
                ),
                *("--disable-dev-shm-usage", "--disable-extensions", "--hide-scrollbars"),
                # Nothing outside can be found, so nothing can be reached.
                *("--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND"),
                "about:blank",
            ],
            pass_fds=(commands, replies),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(commands)
        os.close(replies)
        try:
            target = self.ask("Target.createTarget", url="about:blank")["targetId"]
            self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)[
                "sessionId"
            ]
            for domain in ("Page", "Runtime", "Network", "Log"):
                self.ask(f"{domain}.enable")
            self.resize(*self.size)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._out)
        os.close(self._in)
        self._process.terminate()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._home.cleanup()

    def open(self, file: Path, fragment: str = "") -> None:
        """Open a file, and wait until it is loaded."""
        # By way of an empty page: another fragment alone would load nothing.
        for url in ("about:blank", file.resolve().as_uri() + fragment):
            self._events.clear()
            self.ask("Page.navigate", url=url)
            self._wait(lambda: "Page.loadEventFired" in self._events)

    def value(self, expression: str) -> Any:
        """What a piece of JavaScript gives, awaited if it is a promise."""
        answer = self.ask(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise AssertionError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def until(self, expression: str) -> Any:
        """Wait until a piece of JavaScript gives something true, and return that."""
        end = time.monotonic() + self.patience
        while not (found := self.value(expression)):
            assert time.monotonic() < end, f"never true within {self.patience} s: {expression}"
            time.sleep(0.02)
        return found

    def press(self, key: str) -> None:
        """Press and release a key; one letter writes itself."""
        code = KEYS.get(key, ord(key.upper()) if len(key) == 1 else 0)
        text = {"text": "\r" if key == "Enter" else key} if len(key) == 1 or key == "Enter" else {}
        common = {"key": key, "windowsVirtualKeyCode": code}
        self.ask("Input.dispatchKeyEvent", type="keyDown", **common, **text)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **common)

    def write(self, text: str) -> None:
        """Type into what has the focus."""
        self.ask("Input.insertText", text=text)

    def click(self, selector: str) -> None:
        """Click the middle of an element with the mouse, having scrolled to it."""
        at = self.value(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            " e.scrollIntoView({ block: 'center', inline: 'center' });"
            " const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.ask(
                "Input.dispatchMouseEvent", type=kind, x=at[0], y=at[1], button="left", clickCount=1
            )

    def dark(self, on: bool = True) -> None:
        """As a reader sees it who asked for dark colours."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if on else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])

    def resize(self, width: int, height: int) -> None:
        """Another size of the window, in CSS pixels."""
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            **{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )

    def picture(self, file: Path) -> None:
        """What is to be seen now, as a PNG."""
        file.write_bytes(base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"]))

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command of the DevTools protocol, and return its answer."""
        self._number += 1
        number = self._number
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        left = json.dumps(message).encode() + b"\0"
        while left:
            left = left[os.write(self._out, left) :]
        self._wait(lambda: number in self._answers)
        answer = self._answers.pop(number)
        assert "error" not in answer, f"{method}: {answer['error']}"
        result: dict[str, Any] = answer["result"]
        return result

    def _wait(self, done: Callable[[], bool]) -> None:
        end = time.monotonic() + self.patience
        while not done():
            ready, _, _ = select.select([self._in], [], [], max(0, end - time.monotonic()))
            assert ready, f"Chromium did not answer within {self.patience} s"
            got = os.read(self._in, 1 << 16)
            assert got, "Chromium ended"
            *messages, self._buffer = (self._buffer + got).split(b"\0")
            for message in messages:
                self._take(json.loads(message))

    def _take(self, message: dict[str, Any]) -> None:
        if "id" in message:
            self._answers[message["id"]] = message
            return
        method, about = message["method"], message["params"]
        self._events.append(method)
        if method == "Network.requestWillBeSent":
            if not about["request"]["url"].startswith(("data:", "about:")):
                self.requests.append(about["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(about["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and about["type"] in (
            "error",
            "warning",
            "assert",
        ):
            self.complaints.append(json.dumps(about["args"]))
        elif method == "Log.entryAdded" and about["entry"]["level"] in ("error", "warning"):
            self.complaints.append(f"{about['entry']['text']} {about['entry'].get('url', '')}")
