"""Headless Chromium for tests, spoken to through its debugging pipe: no driver and no package is needed."""

import base64
import fcntl
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
_FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe")


class Page:
    """One tab."""

    def __init__(self, requests: int, answers: int, size: tuple[int, int]) -> None:
        self.requests, self.answers, self.rest, self.number, self.session = requests, answers, b"", 0, ""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        width, height = size
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the DevTools protocol, and its result."""
        self.number += 1
        told = {"id": self.number, "method": method, "params": params}
        os.write(
            self.requests, json.dumps(told | ({"sessionId": self.session} if self.session else {})).encode() + b"\0"
        )
        while True:
            answer = self._answer()
            if answer.get("id") == self.number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return dict(answer["result"])

    def _answer(self) -> dict[str, Any]:
        while b"\0" not in self.rest:
            chunk = os.read(self.answers, 1 << 16)
            assert chunk, "the browser is gone"
            self.rest += chunk
        line, _, self.rest = self.rest.partition(b"\0")
        return dict(json.loads(line))

    def open(self, url: str) -> None:
        """Go to ``url``; what it loads may still be under way."""
        self.call("Page.navigate", url=url)

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression in the page."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait(self, script: str, seconds: float = 120) -> None:
        """Wait until ``script`` is true in the page; fails with the page's text where it does not become so."""
        deadline = time.monotonic() + seconds
        while not self.run(script):
            assert time.monotonic() < deadline, f"not within {seconds} s: {script}\n{self.text()[:2000]}"
            time.sleep(0.3)

    def text(self) -> str:
        """All text that the page shows."""
        return str(self.run("document.body?.innerText"))

    def screenshot(self, path: Path) -> None:
        """A PNG of what the window shows."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))


@contextmanager
def browser(profile: Path, size: tuple[int, int] = (1400, 900)) -> Iterator[Page]:
    """A fresh browser with one tab of ``size`` pixels; ``profile`` is its folder."""
    (from_us, requests), (answers, to_us) = os.pipe(), os.pipe()
    theirs = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (from_us, to_us)]

    def hand_over() -> None:  # the browser reads 3 and writes 4
        os.dup2(theirs[0], 3)
        os.dup2(theirs[1], 4)

    command = [PROGRAM, *_FLAGS, f"--user-data-dir={profile}", f"--window-size={size[0]},{size[1]}"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, pass_fds=(3, 4), preexec_fn=hand_over, **quiet)  # noqa: PLW1509 one thread
    for end in (from_us, to_us, *theirs):
        os.close(end)
    try:
        yield Page(requests, answers, size)
    finally:
        process.terminate()
        process.wait(timeout=30)
        os.close(requests)
        os.close(answers)
