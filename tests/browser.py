"""A headless Chromium, driven through its own protocol."""

import base64
import itertools
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which(
    "google-chrome")  # fmt: skip
STARTUP_SECONDS = 60
AXE = Path(os.environ.get("AXE", "node_modules/axe-core/axe.min.js"))
"""The accessibility checker: `npm install axe-core`, or where this variable says it is."""
WINDOWS = [(width, dark) for width in (390, 1100) for dark in (False, True)]
"""A phone and a desktop, by day and by night."""


class Browser:
    """One page of a headless Chromium; what it asks for and complains about is kept."""

    def __init__(self, folder: Path) -> None:
        """Start it with a profile in `folder`."""
        assert CHROMIUM is not None
        self.process = subprocess.Popen(
            [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0",
             f"--user-data-dir={folder}", "--hide-scrollbars", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        port = self._port(folder / "DevToolsActivePort")
        self._socket = connect(self._page_address(port), max_size=None, proxy=None)
        self._numbers = itertools.count(1)
        self.events: list[dict[str, Any]] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    @staticmethod
    def _port(file: Path) -> str:
        for _ in range(10 * STARTUP_SECONDS):
            if file.exists() and file.read_text().strip():
                return file.read_text().splitlines()[0]
            time.sleep(0.1)
        raise AssertionError("Chromium does not start")

    @staticmethod
    def _page_address(port: str) -> str:
        import httpx

        pages = httpx.get(f"http://127.0.0.1:{port}/json", trust_env=False, timeout=60).json()
        return next(str(one["webSocketDebuggerUrl"]) for one in pages if one["type"] == "page")

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol; return its result."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while (answer := json.loads(self._socket.recv(timeout=120))).get("id") != number:
            self.events.append(answer)
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def show(self, page: Path, *, width: int, dark: bool = False, script: bool = True) -> None:
        """Open a file in a window of this width."""
        self.send("Emulation.setScriptExecutionDisabled", value=not script)
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=900,
                  deviceScaleFactor=1, mobile=False)  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])
        self.events.clear()
        self.send("Page.navigate", url=page.as_uri())
        while not any(one["method"] == "Page.loadEventFired" for one in self.events):
            self.events.append(json.loads(self._socket.recv(timeout=60)))

    def run(self, expression: str) -> Any:
        """Return the value of an expression on the page."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True,
                           awaitPromise=True)  # fmt: skip
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def complaints(self) -> list[str]:
        """Return what the console has said, and every address asked for beside the page itself."""
        found = []
        for one in self.events:
            if one["method"] in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown",
                                 "Log.entryAdded"):  # fmt: skip
                found.append(json.dumps(one["params"])[:500])
            if one["method"] == "Network.requestWillBeSent":
                url = one["params"]["request"]["url"]
                if not url.startswith("data:"):
                    found.append(url)
        return found[1:]  # the first is the page itself

    def faults(self, page: Path, *, width: int, dark: bool) -> list[str]:
        """Open a page and return what is wrong with it: complaints, what is wider than the window,
        and what the accessibility checker finds, where it is installed."""
        self.show(page, width=width, dark=dark)
        found = self.complaints()
        wide = self.run("document.documentElement.scrollWidth")
        if wide > width:
            found.append(f"{wide} pixels wide")
        if AXE.exists():
            self.send("Page.setBypassCSP", enabled=True)
            self.run(f"{AXE.read_text()};0")
            rules = "one.violations.map(each => each.id + ': ' + each.nodes[0].html)"
            found += self.run(f"axe.run().then(one => {rules})")
        return found

    def picture(self, path: Path) -> None:
        """Write a picture of the whole page."""
        shot = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def close(self) -> None:
        """End it."""
        self._socket.close()
        self.process.terminate()
        self.process.wait(30)
