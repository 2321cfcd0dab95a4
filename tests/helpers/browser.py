"""A headless Chromium, driven through its own protocol over pipes: no other program, no open port, no network."""

import base64
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import time

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
WAIT = 60.0


def program():
    """The browser's path, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One page of a browser; `faults` is what it complained of, `asked` the addresses that it tried to load."""

    def __init__(self, send, receive):
        self._send, self._receive, self._count, self._text = send, receive, 0, b""
        self.faults, self.asked = [], []
        (target,) = [one for one in self._call("Target.getTargets")["targetInfos"] if one["type"] == "page"]
        found = self._call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = found["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method, **values):
        """Asks the page for something."""
        return self._call(method, self._session, **values)

    def _call(self, method, session=None, **values):
        self._count += 1
        message = {"id": self._count, "method": method, "params": values}
        if session:
            message["sessionId"] = session
        os.write(self._send, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._count:
            self._note(answer)
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]

    def _next(self):
        while b"\0" not in self._text:
            part = os.read(self._receive, 1 << 20)
            assert part, "the browser is gone"
            self._text += part
        message, self._text = self._text.split(b"\0", 1)
        return json.loads(message)

    def _note(self, event):
        method, values = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.faults.append(values["exceptionDetails"])
        elif method == "Runtime.consoleAPICalled" and values["type"] in ("error", "warning"):
            self.faults.append(values["args"])
        elif method == "Log.entryAdded" and values["entry"]["level"] in ("error", "warning"):
            self.faults.append(values["entry"])
        elif method == "Network.requestWillBeSent":
            self.asked.append(values["request"]["url"])

    def size(self, width, height=800, *, phone=False):
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height,
            deviceScaleFactor=2 if phone else 1, mobile=phone,
        )  # fmt: skip
        self.call("Emulation.setTouchEmulationEnabled", enabled=phone)

    def open(self, path, *, scripts=True):
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.call("Page.navigate", url=pathlib.Path(path).as_uri())
        self.until("document.readyState === 'complete'")

    def value(self, expression):
        """What an expression is in the page."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, expression):
        """Waits until an expression is true."""
        end = time.monotonic() + WAIT
        while not self.value(expression):
            assert time.monotonic() < end, f"never true: {expression}"
            time.sleep(0.02)

    def key(self, name):
        text = {"text": name} if len(name) == 1 else {}
        codes = {"PageUp": 33, "PageDown": 34, "End": 35, "Home": 36, "ArrowUp": 38, "ArrowDown": 40}
        for kind in ("keyDown", "keyUp"):
            code = codes.get(name, ord(name[0].upper()))
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=name, windowsVirtualKeyCode=code,
                **(text if kind == "keyDown" else {}),
            )  # fmt: skip

    def middle(self, selector):
        """Where an element's middle is on the screen, once it has been scrolled there."""
        element = f"document.querySelector({json.dumps(selector)})"
        self.value(f"{element}.scrollIntoView({{block: 'center'}})")
        left, top, width, height = self.value(f"Object.values({element}.getBoundingClientRect().toJSON())")[
            :4
        ]
        return left + width / 2, top + height / 2

    def mouse(self, kind, x, y, **more):
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def click(self, selector):
        x, y = self.middle(selector)
        for kind in ("mousePressed", "mouseReleased"):
            self.mouse(kind, x, y, button="left", clickCount=1)

    def wheel(self, selector, turn):
        x, y = self.middle(selector)
        self.mouse("mouseWheel", x, y, deltaX=0, deltaY=turn)

    def drag(self, selector, right, down=0):
        """Draws a finger over an element."""
        x, y = self.middle(selector)
        for n in range(11):
            point = {"x": x + right * n / 10, "y": y + down * n / 10}
            self.call(
                "Input.dispatchTouchEvent", type="touchMove" if n else "touchStart", touchPoints=[point]
            )
        self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def picture(self, path, *, whole=False):
        found = self.call(
            "Page.captureScreenshot", captureBeyondViewport=whole, **({"clip": self._all()} if whole else {})
        )
        pathlib.Path(path).write_bytes(base64.b64decode(found["data"]))

    def _all(self):
        box = self.call("Page.getLayoutMetrics")["cssContentSize"]
        return {"x": 0, "y": 0, "width": box["width"], "height": box["height"], "scale": 1}


@contextlib.contextmanager
def browser(path, folder):
    """A browser with a profile of its own in a folder, ended at the end."""
    mine, theirs = os.pipe(), os.pipe()
    flags = (
        "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--no-first-run",
        "--disable-dev-shm-usage", "--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={folder}", "about:blank",
    )  # fmt: skip
    # The browser reads from file 3 and writes to 4.
    placed = f'exec "$@" 3<&{theirs[0]} 4>&{mine[1]}'
    process = subprocess.Popen(
        ["bash", "-c", placed, "bash", path, *flags],
        pass_fds=(theirs[0], mine[1]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=dict(os.environ, HOME=str(folder)),
    )  # fmt: skip
    os.close(theirs[0])
    os.close(mine[1])
    try:
        yield Browser(theirs[1], mine[0])
    finally:
        os.close(theirs[1])
        os.close(mine[0])
        process.terminate()
        process.wait()
