"""Chromium without a window, driven by the DevTools protocol over two pipes: no port, no package.

https://chromedevtools.github.io/devtools-protocol/ ; messages over --remote-debugging-pipe are JSON, each with a NUL
behind it, read by the browser from descriptor 3 and written to 4.
"""

import base64
import contextlib
import json
import os
import select
import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import Self

AXE = Path(__file__).parents[2] / ".tools/browser/node_modules/axe-core/axe.min.js"
_SECONDS = 60.0  # for one answer; a browser that takes longer hangs
_FLAGS = (
    "--headless",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
)


def chromium() -> str | None:
    """Its path; None where there is none."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Browser:
    """One browser with one page. `events` has everything that the page reported, in order."""

    def __init__(self) -> None:
        program = chromium()
        assert program is not None
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        # Chromium's own sandbox cannot be made by root; what it opens here is ours.
        flags = [*_FLAGS, f"--user-data-dir={self._folder.name}", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        silent = os.open(os.devnull, os.O_RDWR)
        actions = [(os.POSIX_SPAWN_DUP2, descriptor, to) for descriptor, to in ((silent, 1), (silent, 2))]
        # Above 4 first, so that neither overwrites the other.
        high = [os.dup2(descriptor, 200 + i) for i, descriptor in enumerate((theirs_in, theirs_out))]
        actions += [(os.POSIX_SPAWN_DUP2, high[0], 3), (os.POSIX_SPAWN_DUP2, high[1], 4)]
        environment = os.environ | {"HOME": self._folder.name}
        self.process = os.posix_spawn(
            program, [program, *flags], environment, file_actions=actions, setpgroup=0
        )  # fmt: skip
        for descriptor in (theirs_in, theirs_out, silent, *high):
            os.close(descriptor)
        self._rest = b""
        self._number = 0
        self.events: list[dict] = []
        target = self.call("Target.createTarget", {"url": "about:blank"}, session=None)["targetId"]
        self._session = None
        attached = self.call("Target.attachToTarget", {"targetId": target, "flatten": True}, session=None)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)
        os.close(self._in)
        os.close(self._out)
        self._folder.cleanup()

    def call(self, method: str, params: dict | None = None, session: str | None = "") -> dict:
        """The result of one command. Fails the test for an error, or without answer in time."""
        self._number += 1
        message: dict = {"id": self._number, "method": method, "params": params or {}}
        if session is not None:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]
            self.events.append(answer)

    def _next(self) -> dict:
        until = time.monotonic() + _SECONDS
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._in], [], [], max(until - time.monotonic(), 0))
            assert ready, "the browser does not answer"
            read = os.read(self._in, 1 << 20)
            assert read, "the browser has ended"
            self._rest += read
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def wait(self, method: str) -> dict:
        """The next event of this name, also one that came already."""
        while True:
            for i, event in enumerate(self.events):
                if event.get("method") == method and not event.get("seen"):
                    self.events[i]["seen"] = True
                    return event
            self.events.append(self._next())

    def open(self, file: Path, fragment: str = "") -> None:
        """A file, until it is loaded. From an empty page: another fragment of the same one would load nothing."""
        for url in ("about:blank", f"{file.resolve().as_uri()}{fragment}"):
            self.events.clear()
            self.call("Page.navigate", {"url": url})
            self.wait("Page.loadEventFired")

    def run(self, script: str) -> object:
        """The value of an expression, awaited."""
        given = {"expression": script, "awaitPromise": True, "returnByValue": True, "userGesture": True}
        answer = self.call("Runtime.evaluate", given)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def media(self, scheme: str = "light", medium: str = "") -> None:
        """prefers-color-scheme, and `print` or the screen."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", {"media": medium, "features": features})

    def size(self, width: int, height: int) -> None:
        given = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", given)

    def press(self, key: str) -> None:
        """A key down and up: Enter, Escape, Tab."""
        code = {"Enter": 13, "Escape": 27, "Tab": 9}[key]
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            given = {"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code}
            self.call("Input.dispatchKeyEvent", given | (text if kind == "keyDown" else {}))

    def click(self, selector: str) -> None:
        """With the mouse, in the middle of the first element of this selector."""
        x, y = self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            " e.scrollIntoView({block: 'center'}); const r = e.getBoundingClientRect();"
            " return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            given = {"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1}
            self.call("Input.dispatchMouseEvent", given)

    def picture(self, *, whole: bool = True) -> bytes:
        """A PNG of the page."""
        answer = self.call("Page.captureScreenshot", {"captureBeyondViewport": whole, "format": "png"})
        return base64.b64decode(answer["data"])

    def reported(self) -> list[str]:
        """Everything on the console, every exception, everything that the browser logged: a clean page has none."""
        names = {"Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"}
        return [json.dumps(event["params"])[:500] for event in self.events if event.get("method") in names]

    def requested(self) -> list[str]:
        """URLs of every request that the page made."""
        requests = [event["params"] for event in self.events if event.get("method") == "Network.requestWillBeSent"]
        return [request["request"]["url"] for request in requests]
