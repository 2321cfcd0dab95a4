"""Fetching a file: whole and right, or not at all, and one line that says why."""

import functools
import hashlib
import http.server
import signal
import socket
import threading
import urllib.request

import pytest

from wsns.errors import InputError
from wsns.runtime import download

DATA = bytes(range(256)) * 2000
MD5 = hashlib.md5(DATA).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as the paths say; as a proxy, it refuses."""

    def do_GET(self):
        if self.path == "/missing":
            self.send_error(404)
        elif self.path == "/page":
            self.answer(b"<html>Please log in</html>", "text/html; charset=utf-8")
        elif self.path == "/cut":
            self.answer(DATA[: len(DATA) // 2], length=len(DATA))
        elif self.path == "/stalled":
            self.answer(DATA[: len(DATA) // 2], length=len(DATA))
            self.server.silence.wait()
        elif self.path == "/interrupt":
            self.answer(DATA[: len(DATA) // 2], length=len(DATA))
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            self.server.silence.wait()
        else:
            self.answer(DATA)

    def do_CONNECT(self):
        self.send_error(403)

    def answer(self, content, kind="application/octet-stream", length=None):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length or len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.silence = threading.Event()
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.silence.set()
        running.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def url(server):
    return f"http://127.0.0.1:{server.server_port}"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    # urllib looks at the environment once only.
    monkeypatch.setattr(urllib.request, "_opener", None)


def closed_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def left(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_file_is_fetched_under_a_progress_bar(url, tmp_path, capsys):
    path = tmp_path / "deep" / "folder" / "file"
    download.fetch(f"{url}/good", path, size=len(DATA), md5=MD5)
    assert path.read_bytes() == DATA
    assert left(tmp_path) == ["file"]
    shown = capsys.readouterr().err
    assert "download" in shown
    assert "512k/512k" in shown


@pytest.mark.parametrize(
    ("page", "size", "words"),
    [
        ("missing", len(DATA), "HTTP 404 Not Found"),
        ("page", len(DATA), "answered with a web page"),
        ("cut", len(DATA), "sent 256,000 bytes instead of 512,000: cut off"),
        ("good", len(DATA) - 1, "sent 512,000 bytes instead of 511,999"),
        ("stalled", len(DATA), "timed out"),
    ],
)
def test_what_goes_wrong_is_one_line_and_leaves_nothing(url, tmp_path, page, size, words):
    timeout = 0.2 if page == "stalled" else download.TIMEOUT
    with pytest.raises(InputError, match=words) as caught:
        download.fetch(f"{url}/{page}", tmp_path / "file", size=size, md5=MD5, timeout=timeout)
    assert "\n" not in str(caught.value)
    assert f"{url}/{page}" in str(caught.value)
    assert left(tmp_path) == []


def test_another_hash_or_a_refused_content_leaves_nothing(url, tmp_path):
    with pytest.raises(InputError, match=f"its MD5 is {MD5}, not 0000"):
        download.fetch(f"{url}/good", tmp_path / "file", size=len(DATA), md5="0000")

    def refuse(path):
        assert path.read_bytes() == DATA
        raise InputError("not this one")

    with pytest.raises(InputError, match="not this one"):
        download.fetch(f"{url}/good", tmp_path / "file", size=len(DATA), md5=MD5, accept=refuse)
    assert left(tmp_path) == []


def test_an_unreachable_server_is_one_line(tmp_path):
    fetch = functools.partial(download.fetch, path=tmp_path / "file", size=1, md5="")
    with pytest.raises(InputError, match=r"can't be fetched: .*refused"):
        fetch(f"http://127.0.0.1:{closed_port()}/file")
    with pytest.raises(InputError, match=r"http://no-such-host\.invalid/file can't be fetched"):
        fetch("http://no-such-host.invalid/file")
    assert left(tmp_path) == []


def test_a_proxy_that_refuses_is_one_line(url, tmp_path, monkeypatch):
    monkeypatch.setenv("https_proxy", url)
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(InputError, match=r"can't be fetched: Tunnel connection failed: 403 Forbidden"):
        download.fetch("https://example.invalid/file", tmp_path / "file", size=1, md5="")


def test_a_folder_that_cannot_be_made_is_one_line(url, tmp_path):
    (tmp_path / "taken").touch()
    with pytest.raises(InputError, match=r"can't be kept as .*taken/file: "):
        download.fetch(f"{url}/good", tmp_path / "taken" / "file", size=len(DATA), md5=MD5)


def test_ctrl_c_leaves_nothing_and_an_earlier_file_as_it_was(url, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"earlier")
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            download.fetch(f"{url}/interrupt", path, size=len(DATA), md5=MD5)
    finally:
        signal.signal(signal.SIGINT, handler)
    assert left(tmp_path) == ["file"]
    assert path.read_bytes() == b"earlier"
