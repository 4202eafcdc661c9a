"""Stand-ins for the vendors' servers that answer correctly or break in a chosen way, at a chosen place.

A `Double` listens on the loopback interface and plays one `Script` for each request; the last one is repeated.
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

Ending = Literal["complete", "early", "cut", "reset", "stall", "stall_before_headers", "drop"]


@dataclass(frozen=True)
class Script:
    """One answer."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    """A plain body, where there is no stream."""
    frames: tuple[bytes, ...] = ()
    """Pieces of an event stream, each sent as a chunk of its own."""
    ending: Ending = "complete"
    delay_s: float = 0.0
    """Between frames; for benchmarks."""


@dataclass(frozen=True)
class Seen:
    method: str
    path: str
    headers: dict[str, str]
    body: Any
    at: float
    """Monotonic seconds."""
    connection: int
    """Number of the TCP connection it came on."""


class Double:
    def __init__(self, *scripts: Script, tls: ssl.SSLContext | None = None) -> None:
        self.scripts = list(scripts)
        self.seen: list[Seen] = []
        self.release = threading.Event()
        """Set when stalled answers should end."""
        self.hung_up = threading.Event()
        """Set when a client closed the connection of a stalled answer."""
        self._lock = threading.Lock()
        self._connections = 0
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.double = self
        self._tls = tls
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Double:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def _next(self, seen: Seen) -> Script:
        with self._lock:
            self.seen.append(seen)
            return self.scripts[min(len(self.seen), len(self.scripts)) - 1]

    def _stall(self, connection: socket.socket) -> None:
        """Say nothing until released, or until the client hangs up."""
        connection.settimeout(0.02)
        while not self.release.is_set():
            try:
                if connection.recv(1) == b"":
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        if not self.release.is_set():
            self.hung_up.set()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    double: Double

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are what is tested here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.double = self.server.double
        with self.double._lock:
            self.double._connections += 1
            self.number = self.double._connections

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = json.loads(raw) if raw else None
        seen = Seen(self.command, self.path, headers, body, time.monotonic(), self.number)
        script = self.double._next(seen)
        if script.ending == "stall_before_headers":
            self.double._stall(self.connection)
            self.close_connection = True
            return
        if script.ending == "drop":
            self.close_connection = True
            return
        self.send_response(script.status)
        for name, value in script.headers.items():
            self.send_header(name, value)
        if script.frames:
            self._stream(script)
            return
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(script.body)))
        self.end_headers()
        self.wfile.write(script.body)

    def do_POST(self) -> None:
        self.do_GET()

    def _stream(self, script: Script) -> None:
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for frame in script.frames:
            if script.delay_s:
                time.sleep(script.delay_s)
            self.wfile.write(b"%x\r\n%s\r\n" % (len(frame), frame))
            self.wfile.flush()
        if script.ending == "stall":
            self.double._stall(self.connection)
        if script.ending in {"complete", "early"}:
            self.wfile.write(b"0\r\n\r\n")
            self.wfile.flush()
            return
        if script.ending == "reset":
            linger_zero = b"\x01\x00\x00\x00\x00\x00\x00\x00"
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_zero)
        self.close_connection = True


def sse(data: Any, event: str = "") -> bytes:
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return (f"event: {event}\n" if event else "").encode() + f"data: {text}\n\n".encode()


# --- the vendors ----------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Vendor:
    """How one vendor's stream looks when it says `texts`."""

    name: str
    kind: str
    options: dict[str, str]
    opening: tuple[bytes, ...]
    piece: Callable[[str], tuple[bytes, ...]]
    closing: tuple[bytes, ...]
    error_event: bytes
    """An overload, told inside the stream."""
    error_body: Callable[[int], bytes]
    path: str = ""
    """Appended to the double's URL as the base URL."""

    def frames(self, *texts: str) -> tuple[bytes, ...]:
        return self.opening + tuple(frame for text in texts for frame in self.piece(text)) + self.closing

    def begun(self, *texts: str) -> tuple[bytes, ...]:
        return self.opening + tuple(frame for text in texts for frame in self.piece(text))

    def complete(self, *texts: str) -> Script:
        return Script(frames=self.frames(*texts))

    def failing(self, status: int, **headers: str) -> Script:
        return Script(status=status, body=self.error_body(status), headers=headers)


def _chat_chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    base = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "double-1-2026"}
    return sse({**base, "choices": [choice]})


def _openai_error(status: int) -> bytes:
    kinds = {401: "invalid_api_key", 403: "permission_denied", 404: "model_not_found", 429: "rate_limit_exceeded"}
    error = {"message": f"The double says {status}", "type": "double", "param": None, "code": kinds.get(status)}
    return json.dumps({"error": error}).encode()


CHAT_USAGE = {
    "prompt_tokens": 20,
    "completion_tokens": 7,
    "total_tokens": 27,
    "prompt_tokens_details": {"cached_tokens": 5},
    "completion_tokens_details": {"reasoning_tokens": 3},
}

CHAT = Vendor(
    name="chat completions",
    kind="openai",
    options={"api": "chat"},
    path="/v1",
    opening=(_chat_chunk({"role": "assistant", "content": ""}),),
    piece=lambda text: (_chat_chunk({"content": text}),),
    closing=(
        _chat_chunk({}, "stop"),
        sse(
            {
                "id": "c1",
                "object": "chat.completion.chunk",
                "created": 1,
                "model": "double-1-2026",
                "choices": [],
                "usage": CHAT_USAGE,
            }
        ),
        sse("[DONE]"),
    ),
    error_event=sse({"error": {"message": "Overloaded", "type": "server_error", "code": "overloaded_error"}}),
    error_body=_openai_error,
)


def _response(status: str, **fields: Any) -> dict[str, Any]:
    base = {"id": "r1", "object": "response", "created_at": 1, "model": "double-1-2026", "status": status}
    base |= {"output": [], "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "error": None}
    return {**base, "incomplete_details": None, "instructions": None, "metadata": {}, **fields}


def responses_event(kind: str, **fields: Any) -> bytes:
    return sse({"type": kind, "sequence_number": 0, **fields}, event=kind)


RESPONSES_USAGE = {
    "input_tokens": 20,
    "input_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 0},
    "output_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 27,
}

_MESSAGE_ITEM = {"type": "message", "id": "m1", "role": "assistant", "status": "in_progress", "content": []}
_TEXT_PART = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}

RESPONSES = Vendor(
    name="responses",
    kind="openai",
    options={"api": "responses"},
    path="/v1",
    opening=(
        responses_event("response.created", response=_response("in_progress")),
        responses_event("response.output_item.added", output_index=0, item=_MESSAGE_ITEM),
        responses_event("response.content_part.added", item_id="m1", output_index=0, content_index=0, part=_TEXT_PART),
    ),
    piece=lambda text: (
        responses_event(
            "response.output_text.delta", item_id="m1", output_index=0, content_index=0, delta=text, logprobs=[]
        ),
    ),
    closing=(responses_event("response.completed", response=_response("completed", usage=RESPONSES_USAGE)),),
    error_event=responses_event("error", code="overloaded_error", message="Overloaded", param=None),
    error_body=_openai_error,
)


def _anthropic_error(status: int) -> bytes:
    kinds = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}
    kind = kinds.get(status, "overloaded_error" if status == 529 else "api_error")
    return json.dumps({"type": "error", "error": {"type": kind, "message": f"The double says {status}"}}).encode()


def anthropic_event(kind: str, **fields: Any) -> bytes:
    return sse({"type": kind, **fields}, event=kind)


ANTHROPIC_USAGE = {"input_tokens": 15, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 0}

ANTHROPIC = Vendor(
    name="anthropic",
    kind="anthropic",
    options={},
    opening=(
        anthropic_event(
            "message_start",
            message={
                "id": "m1",
                "type": "message",
                "role": "assistant",
                "model": "double-1-2026",
                "content": [],
                "stop_reason": None,
                "stop_sequence": None,
                "usage": {**ANTHROPIC_USAGE, "output_tokens": 1},
            },
        ),
        anthropic_event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        anthropic_event("ping"),
    ),
    piece=lambda text: (anthropic_event("content_block_delta", index=0, delta={"type": "text_delta", "text": text}),),
    closing=(
        anthropic_event("content_block_stop", index=0),
        anthropic_event(
            "message_delta",
            delta={"stop_reason": "end_turn", "stop_sequence": None},
            usage={**ANTHROPIC_USAGE, "output_tokens": 7, "output_tokens_details": {"thinking_tokens": 3}},
        ),
        anthropic_event("message_stop"),
    ),
    error_event=anthropic_event("error", error={"type": "overloaded_error", "message": "Overloaded"}),
    error_body=_anthropic_error,
)


def _google_error(status: int) -> bytes:
    kinds = {401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED"}
    error = {"code": status, "message": f"The double says {status}", "status": kinds.get(status, "INTERNAL")}
    return json.dumps({"error": error}).encode()


def gemini_chunk(*parts: dict[str, Any], finish: str | None = None, **fields: Any) -> bytes:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return sse({"candidates": [candidate], "modelVersion": "double-1-2026", "responseId": "r1", **fields})


GEMINI_USAGE = {
    "promptTokenCount": 20,
    "cachedContentTokenCount": 5,
    "candidatesTokenCount": 4,
    "thoughtsTokenCount": 3,
    "totalTokenCount": 27,
}

GEMINI = Vendor(
    name="gemini",
    kind="google",
    options={},
    opening=(),
    piece=lambda text: (gemini_chunk({"text": text}),),
    closing=(gemini_chunk({"text": ""}, finish="STOP", usageMetadata=GEMINI_USAGE),),
    error_event=sse({"error": {"code": 503, "message": "Overloaded", "status": "UNAVAILABLE"}}),
    error_body=_google_error,
)

VENDORS = (CHAT, RESPONSES, ANTHROPIC, GEMINI)
