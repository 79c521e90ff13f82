"""`make audit` against a pretend database: what is known fails it, and so does what could not be asked."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from requirements import audit
from requirements.pins import Pin, pins

STARLETTE = next(pin for pin in pins("runtime.txt") if pin.name == "starlette")
HTTPX = next(pin for pin in pins("runtime.txt") if pin.name == "httpx")


def known(name: str) -> dict[str, Any]:
    """An entry of the database, in its format."""
    return {
        "id": "GHSA-0000-0000-0001",
        "aliases": ["CVE-2099-0001"],
        "summary": "made up",
        "affected": [
            {
                "package": {"name": name, "ecosystem": "PyPI"},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.1"}]}],
            }
        ],
    }


@contextmanager
def database(vulnerable: str = "", silent_about: str = "") -> Iterator[tuple[str, list[str]]]:
    """A pretend database: its address, and the packages that it was asked about."""
    asked: list[str] = []

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            name = query["package"]["name"]
            asked.append(f"{name}=={query['version']}")
            body = json.dumps({"vulns": [known(name)]} if name == vulnerable else {}).encode()
            self.send_response(500 if name == silent_about else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/query", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def make_audit(url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "requirements.audit", "--osv-url", url], capture_output=True, text=True, check=False
    )


def test_every_pin_is_asked_about_and_nothing_known_is_good() -> None:
    everything = [f"{pin.name}=={pin.version}" for file in ("dev.txt", "runtime.txt", "uv.txt") for pin in pins(file)]
    with database() as (url, asked):
        done = make_audit(url)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"audit: no vulnerability is known of any of {len(everything)} pins\n"
    assert sorted(asked) == sorted(everything)


def test_a_vulnerability_fails_it_and_is_named() -> None:
    with database(vulnerable="starlette") as (url, _):
        done = make_audit(url)
    assert done.returncode == 1
    line = f"starlette {STARLETTE.version}: CVE-2099-0001, GHSA-0000-0000-0001; fixed in 99.1"
    assert f"requirements/runtime.txt: {line}\n" in done.stdout
    assert f"requirements/dev.txt: {line}\n" in done.stdout


def test_a_database_that_is_not_there_is_no_good_news() -> None:
    with database() as (url, _):
        gone = url
    done = make_audit(gone)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("audit: could not ask about requirements/dev.txt: ")
    assert done.stderr.endswith("so nothing is known of these pins, good or bad\n")
    assert "Traceback" not in done.stderr


def test_a_database_that_is_silent_about_one_is_no_good_news() -> None:
    with database(silent_about="starlette") as (url, _), pytest.raises(audit.NotAskedError):
        audit.ask((HTTPX, STARLETTE), url)


def test_an_answer_that_leaves_one_out_is_no_good_news() -> None:
    answer = {"dependencies": [{"name": "httpx", "version": HTTPX.version, "vulns": []}]}
    done = subprocess.CompletedProcess([], 0, stdout=json.dumps(answer), stderr="")
    with pytest.raises(audit.NotAskedError, match="no answer about starlette"):
        audit.findings((HTTPX, STARLETTE), done)


def test_an_answer_that_skips_one_is_no_good_news() -> None:
    answer = {"dependencies": [{"name": "httpx", "skip_reason": "not found"}]}
    done = subprocess.CompletedProcess([], 0, stdout=json.dumps(answer), stderr="")
    with pytest.raises(audit.NotAskedError, match="no answer about httpx"):
        audit.findings((HTTPX,), done)


def test_what_is_pinned_for_another_platform_is_asked_about_as_well() -> None:
    elsewhere: Pin = next(pin for pin in pins("runtime.txt") if pin.name == "colorama")
    with database(vulnerable="colorama") as (url, _):
        (found,) = audit.ask((elsewhere,), url)
    assert found.startswith("colorama ")


def test_what_is_accepted_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "ACCEPTED", {"GHSA-0000-0000-0001": "a test"})
    with database(vulnerable="httpx") as (url, _):
        assert audit.ask((HTTPX,), url) == []
