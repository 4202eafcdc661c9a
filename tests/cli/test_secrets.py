"""A key that is used leaves no trace: not in the database, logs, settings, exports, reports, output or arguments."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import psutil
import pytest

KEY = "unshaped.Key=That+Must/Not.Leak"
Start = Callable[..., subprocess.Popen[str]]


class Tattler(BaseHTTPRequestHandler):
    """Refuses every request, repeating the key it was given, as careless services do."""

    seen: ClassVar[list[str]] = []
    arguments: ClassVar[list[list[str]]] = []

    def do_POST(self) -> None:
        authorization = self.headers.get("Authorization", "")
        Tattler.seen.append(authorization)
        Tattler.arguments += [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
        body = json.dumps({"error": {"message": f"Invalid key: {authorization}", "code": "invalid_api_key"}}).encode()
        self.send_response(401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Tattler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()
    thread.join()


def files_with(secret: str, folder: Path) -> list[str]:
    return [str(path) for path in folder.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]


def test_a_key_leaves_no_trace(process: Start, service: str, home: Path, tmp_path: Path) -> None:
    environment = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": service}
    outputs = []
    for arguments in (["run", "-m", "openai:gpt-x", "hi"], ["run", "--json", "-m", "openai:gpt-x", "hi"], ["doctor"]):
        with process(*arguments, env=environment) as running:
            outputs += running.communicate(timeout=120)
        assert arguments == ["doctor"] or running.returncode == 1
    export = tmp_path / "export.jsonl"
    with process("log", "export", "-O", str(export), env=environment) as running:
        outputs += running.communicate(timeout=60)
    assert Tattler.seen and KEY in Tattler.seen[0], (
        "the key must have reached the service for this test to mean something"
    )
    assert export.stat().st_size > 0
    assert KEY not in "".join(outputs)
    assert KEY not in export.read_text(encoding="utf-8")
    assert files_with(KEY, home) == []
    assert [line for line in Tattler.arguments if KEY in " ".join(line)] == []
    assert (home / "workbench.db").exists()
    assert os.environ.get("OPENAI_API_KEY") is None
