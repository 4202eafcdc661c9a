"""A Hugging Face Hub on two loopback ports (Hub and CDN), with faults to order.

Faithful where clients look: search with `Link: rel="next"` paging and `expand`, model info, tree, resolve with
`X-Repo-Commit`, `X-Linked-Size`, `X-Linked-Etag`, a cross-origin redirect to signed links on the CDN, ranges and
`If-Range` there, `X-Error-Code` on errors. The CDN refuses requests that carry a token, as signed storage links do.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import secrets
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

CHUNK = 64 * 1024
CERTIFICATE = Path(__file__).with_name("loopback.pem")
"""Of 127.0.0.1, with its key; nobody but tests knows it. It is its own authority."""


@dataclass
class Fault:
    """What goes wrong, where (`api`, `resolve` or `cdn`), and how often."""

    kind: str
    """In the body: stall, cut, reset, slow, flip. Instead of it: status, hang, refuse. Besides: ignore_range, etag,
    expired."""
    on: str = "cdn"
    times: int = 1
    path: str = ""
    """Only requests whose path contains this."""
    after: int = 0
    """Bytes of body sent before it happens; for `flip`, the file offset of the damaged byte."""
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    bytes_per_s: int = 0
    method: str = ""
    skip: int = 0
    """Requests that pass unharmed first."""


@dataclass(frozen=True)
class Request:
    server: str
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]


@dataclass
class FakeFile:
    content: bytes | Path
    lfs: bool = True
    sha256: str = ""
    """What the Hub says; differs from the content's own only in tests of damage."""

    def __post_init__(self) -> None:
        if not self.sha256:
            digest = hashlib.sha256()
            with self.open() as file:
                while block := file.read(1 << 20):
                    digest.update(block)
            self.sha256 = digest.hexdigest()

    @property
    def size(self) -> int:
        return len(self.content) if isinstance(self.content, bytes) else self.content.stat().st_size

    @property
    def git_oid(self) -> str:
        return hashlib.sha1(self.sha256.encode()).hexdigest()

    def open(self) -> BinaryIO:
        if isinstance(self.content, bytes):
            return io.BytesIO(self.content)
        return self.content.open("rb")


@dataclass
class FakeRepo:
    id: str
    files: dict[str, FakeFile]
    private: bool = False
    gated: str | bool = False
    tags: list[str] = field(default_factory=lambda: ["gguf"])
    pipeline_tag: str = "text-generation"
    downloads: int = 0
    likes: int = 0
    last_modified: str = "2026-05-01T12:00:00.000Z"
    gguf: dict[str, Any] | None = None
    commit: str = ""
    earlier: dict[str, dict[str, FakeFile]] = field(default_factory=dict)
    """Commit -> the files it had."""

    def __post_init__(self) -> None:
        self.commit = self.commit or hashlib.sha1(self.id.encode()).hexdigest()

    def publish(self, files: dict[str, bytes]) -> None:
        """A new commit on main that replaces these files; the one before stays where it is asked for by name."""
        self.earlier[self.commit] = self.files
        self.files = self.files | {name: FakeFile(content) for name, content in files.items()}
        self.commit = hashlib.sha1(self.commit.encode()).hexdigest()

    def at(self, revision: str) -> tuple[str, dict[str, FakeFile]] | None:
        """(commit, files) of a branch or commit; None where there is none."""
        if revision in ("main", self.commit):
            return self.commit, self.files
        return (revision, self.earlier[revision]) if revision in self.earlier else None

    def as_json(self, expand: list[str] | None, *, blobs: bool = False) -> dict[str, Any]:
        everything: dict[str, Any] = {
            "author": self.id.split("/")[0],
            "sha": self.commit,
            "lastModified": self.last_modified,
            "createdAt": self.last_modified,
            "private": self.private,
            "gated": self.gated,
            "disabled": False,
            "downloads": self.downloads,
            "likes": self.likes,
            "tags": self.tags,
            "pipeline_tag": self.pipeline_tag,
            "library_name": "gguf",
            "gguf": self.gguf,
            "cardData": {"license": next((t[8:] for t in self.tags if t.startswith("license:")), None)},
            "siblings": [self._sibling(name, file, blobs) for name, file in self.files.items()],
        }
        keys = expand or [key for key in everything if key != "gguf" or blobs]
        return {"_id": self.commit[:24], "id": self.id, "modelId": self.id} | {k: everything.get(k) for k in keys}

    @staticmethod
    def _sibling(name: str, file: FakeFile, blobs: bool) -> dict[str, Any]:
        entry: dict[str, Any] = {"rfilename": name}
        if blobs:
            entry |= {"size": file.size, "blobId": file.git_oid}
            if file.lfs:
                entry["lfs"] = {"sha256": file.sha256, "size": file.size, "pointerSize": 135}
        return entry


class FakeHub:
    """Use as a context manager; `endpoint` is what HF_ENDPOINT should be."""

    def __init__(self, page_size: int = 1000, *, tls: bool = False) -> None:
        """`tls`: both servers speak HTTPS with `CERTIFICATE`."""
        self.tls = tls
        self.repos: dict[str, FakeRepo] = {}
        self.tokens: dict[str, set[str]] = {}
        """Token -> ids of the gated repositories its owner was let into; `private:ORG` opens an organisation."""
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self.page_size = page_size
        self.xet: dict[str, str] = {}
        """Name of a file -> its hash in the Xet store at `xet_store`; such files are offered over Xet, too."""
        self.xet_store = ""
        self.closing = threading.Event()
        self.bytes_sent = 0
        self._signatures: dict[str, FakeFile] = {}
        self._lock = threading.Lock()
        self._hub = _Server(self, "hub")
        self._cdn = _Server(self, "cdn")

    # --- set-up -----------------------------------------------------------------------------------------------
    def __enter__(self) -> FakeHub:
        for server in (self._hub, self._cdn):
            server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        for server in (self._hub, self._cdn):
            server.stop()

    @property
    def endpoint(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._hub.server_port}"

    @property
    def cdn(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._cdn.server_port}"

    @property
    def _scheme(self) -> str:
        return "https" if self.tls else "http"

    def add(self, repo_id: str, files: dict[str, bytes | Path | FakeFile], **options: Any) -> FakeRepo:
        made = {
            name: file
            if isinstance(file, FakeFile)
            else FakeFile(file, lfs=not name.endswith((".md", ".json", ".txt")))
            for name, file in files.items()
        }
        repo = self.repos[repo_id] = FakeRepo(repo_id, made, **options)
        return repo

    def fault(self, kind: str, **options: Any) -> Fault:
        fault = Fault(kind, **options)
        with self._lock:
            self.faults.append(fault)
        return fault

    def take(self, on: str, path: str, method: str, kinds: tuple[str, ...]) -> Fault | None:
        with self._lock:
            for fault in self.faults:
                fits = fault.on == on and fault.kind in kinds and fault.path in path
                if not fits or fault.method not in ("", method) or fault.times <= 0:
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                return fault
        return None

    # --- what tests ask ---------------------------------------------------------------------------------------
    def log(self, request: Request) -> None:
        with self._lock:
            self.requests.append(request)

    def of(self, server: str, method: str = "GET") -> list[Request]:
        with self._lock:
            return [r for r in self.requests if r.server == server and r.method == method]

    def tokens_seen_by_cdn(self) -> list[str]:
        return [r.headers["authorization"] for r in self.of("cdn") if "authorization" in r.headers]

    # --- links of the CDN -------------------------------------------------------------------------------------
    def sign(self, file: FakeFile, path: str) -> str:
        signature = secrets.token_hex(8)
        with self._lock:
            self._signatures[signature] = file
        return f"{self.cdn}/{quote(path)}?" + urlencode({"Signature": signature, "Expires": int(time.time()) + 3600})

    def expire_links(self) -> None:
        with self._lock:
            self._signatures.clear()

    def signed(self, signature: str) -> FakeFile | None:
        with self._lock:
            return self._signatures.get(signature)

    def count(self, sent: int) -> None:
        with self._lock:
            self.bytes_sent += sent


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, hub: FakeHub, name: str) -> None:
        self.hub = hub
        self.name = name
        super().__init__(("127.0.0.1", 0), _HubHandler if name == "hub" else _CdnHandler)
        if hub.tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTIFICATE)
            # the handshake is the handler thread's, with its first read
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def start(self) -> None:
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), name=f"fake-{self.name}")
        self._thread.start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    @property
    def hub(self) -> FakeHub:
        return self.server.hub

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def handle_expect_100(self) -> bool:
        return True

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        self.route, self.query = unquote(url.path), parse_qs(url.query)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.hub.log(Request(self.server.name, self.command, self.route, self.query, headers))
        with contextlib.suppress(ConnectionError):
            self.answer()

    def answer(self) -> None:
        raise NotImplementedError

    def send_json(self, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        for name, content in ({"Content-Type": "application/json"} | (headers or {})).items():
            self.send_header(name, content)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status: int, code: str = "", message: str = "", headers: dict[str, str] | None = None) -> None:
        extra = {"X-Error-Code": code} if code else {}
        if message:
            extra["X-Error-Message"] = message
        self.send_json({"error": message or code or "error"}, status, extra | (headers or {}))

    def planned(self, on: str) -> bool:
        """Carry out a fault that takes the place of the answer."""
        if fault := self.hub.take(on, self.route, self.command, ("status",)):
            self.refuse(fault.status, headers=fault.headers)
            return True
        if self.hub.take(on, self.route, self.command, ("hang",)):
            self.hub.closing.wait(60)
            return True
        if self.hub.take(on, self.route, self.command, ("refuse",)):
            self.reset()
            return True
        return False

    def reset(self) -> None:
        """End the connection with RST instead of FIN."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def send_file(self, file: FakeFile, headers: dict[str, str], on: str) -> None:
        """The whole file or a range of it, with whatever is to go wrong on the way."""
        if changed := self.hub.take(on, self.route, self.command, ("etag",)):
            headers["ETag"] = changed.headers.get("ETag", '"another"')
        start, end = self._range(file, headers, ignore=bool(self.hub.take(on, self.route, "GET", ("ignore_range",))))
        if start is None:
            self.refuse(416, headers={"Content-Range": f"bytes */{file.size}"})
            return
        partial = (start, end) != (0, file.size) or self._partial
        self.send_response(206 if partial else 200)
        if partial:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{file.size}")
        for name, content in ({"Accept-Ranges": "bytes", "Content-Length": str(end - start)} | headers).items():
            self.send_header(name, content)
        self.end_headers()
        if self.command != "HEAD":
            self._send_body(file, start, end, on)

    def _range(self, file: FakeFile, headers: dict[str, str], ignore: bool) -> tuple[int | None, int]:
        self._partial = False
        asked = self.headers.get("Range", "")
        condition = self.headers.get("If-Range")
        if ignore or not asked.startswith("bytes=") or (condition and condition != headers.get("ETag")):
            return 0, file.size
        first, _, last = asked.removeprefix("bytes=").partition("-")
        if not first:
            start, end = max(0, file.size - int(last)), file.size
        else:
            start, end = int(first), min(int(last) + 1, file.size) if last else file.size
        self._partial = True
        return (None, 0) if start >= file.size else (start, end)

    def _send_body(self, file: FakeFile, start: int, end: int, on: str) -> None:
        fault = self.hub.take(on, self.route, self.command, ("stall", "cut", "reset", "slow", "flip"))
        if fault is None and isinstance(file.content, Path) and not self.hub.tls:
            self._send_path(file.content, start, end)
            return
        sent = 0
        with file.open() as source:
            source.seek(start)
            while start + sent < end and not self.hub.closing.is_set():
                step = min(CHUNK, end - start - sent)
                if fault and fault.kind in ("stall", "cut", "reset"):
                    step = min(step, fault.after - sent)
                    if step <= 0:
                        self._break_off(fault)
                        return
                block = source.read(step)
                if fault and fault.kind == "flip" and start + sent <= fault.after < start + sent + len(block):
                    at = fault.after - start - sent
                    block = block[:at] + bytes([block[at] ^ 0xFF]) + block[at + 1 :]
                if fault and fault.kind == "slow":
                    self.hub.closing.wait(len(block) / fault.bytes_per_s)
                self.wfile.write(block)
                sent += len(block)
                self.hub.count(len(block))

    def _send_path(self, path: Path, start: int, end: int) -> None:
        self.wfile.flush()
        with path.open("rb") as source:
            while start < end and not self.hub.closing.is_set():
                sent = os.sendfile(self.connection.fileno(), source.fileno(), start, min(1 << 22, end - start))
                if sent == 0:
                    return
                start += sent
                self.hub.count(sent)

    def _break_off(self, fault: Fault) -> None:
        self.wfile.flush()
        self.close_connection = True
        if fault.kind == "stall":
            self.hub.closing.wait(60)
        elif fault.kind == "reset":
            time.sleep(0.05)  # lets the bytes sent before reach the client; RST discards what is still queued
            self.reset()


class _HubHandler(_Handler):
    def answer(self) -> None:
        parts = self.route.strip("/").split("/")
        if self.planned("resolve" if "resolve" in parts else "api"):
            return
        if self.route == "/api/models":
            self._search()
        elif self.route.startswith("/api/models/"):
            self._model(parts[2:])
        elif self.route.startswith("/api/resolve-cache/"):
            self._from_cache(parts)
        elif self.route == "/api/whoami-v2":
            self.send_json({"type": "user", "name": "tester"}) if self._token() else self.refuse(401)
        elif "resolve" in parts:
            self._resolve(parts)
        else:
            self.refuse(404)

    def _token(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    def _sees(self, repo: FakeRepo) -> bool:
        owner = "private:" + repo.id.split("/")[0]
        return not repo.private or owner in self.hub.tokens.get(self._token(), set())

    def _search(self) -> None:
        def asked(name: str) -> str:
            return self.query.get(name, [""])[0]

        found = [repo for repo in self.hub.repos.values() if self._sees(repo)]
        words = asked("search").lower()
        found = [r for r in found if words in r.id.lower()]
        for tag in self.query.get("filter", []):
            found = [r for r in found if tag in r.tags]
        if task := asked("pipeline_tag"):
            found = [r for r in found if r.pipeline_tag == task]
        if author := asked("author"):
            found = [r for r in found if r.id.split("/")[0] == author]
        sort = {"downloads": "downloads", "likes": "likes", "lastModified": "last_modified"}.get(asked("sort"))
        if sort:
            found.sort(key=lambda r: getattr(r, sort), reverse=True)
        limit = min(int(asked("limit") or 1000), self.hub.page_size)
        start = int(asked("cursor") or 0)
        headers = {}
        if start + limit < len(found):
            again = {k: v for k, v in self.query.items() if k != "cursor"} | {"cursor": [str(start + limit)]}
            headers["Link"] = f'<{self.hub.endpoint}/api/models?{urlencode(again, doseq=True)}>; rel="next"'
        expand = self.query.get("expand")
        self.send_json([r.as_json(expand) for r in found[start : start + limit]], headers=headers)

    def _allowed(self, repo_id: str) -> FakeRepo | None:
        repo = self.hub.repos.get(repo_id)
        if self._token() and self._token() not in self.hub.tokens:
            self.refuse(401, message="Invalid credentials in Authorization header")
        elif repo is None or not self._sees(repo):
            self.refuse(404 if self._token() else 401, "RepoNotFound", "Repository not found")
        else:
            return repo
        return None

    def _model(self, parts: list[str]) -> None:
        repo = self._allowed("/".join(parts[:2]))
        if repo is None:
            return
        rest = parts[2:]
        if rest[:1] == ["xet-read-token"]:
            expires = str(int(time.time()) + 3600)
            headers = {
                "X-Xet-Cas-Url": self.hub.xet_store,
                "X-Xet-Access-Token": "t",
                "X-Xet-Token-Expiration": expires,
            }
            self.send_json({}, headers=headers)
            return
        if rest[:1] in (["revision"], ["tree"]) and rest[1] not in ("main", repo.commit):
            self.refuse(404, "RevisionNotFound", "Invalid rev id")
        elif rest[:1] == ["tree"]:
            self._tree(repo, "/".join(rest[2:]))
        else:
            blobs = self.query.get("blobs", [""])[0].lower() in ("true", "1")
            self.send_json(repo.as_json(self.query.get("expand"), blobs=blobs))

    def _tree(self, repo: FakeRepo, folder: str) -> None:
        entries: list[dict[str, Any]] = []
        for name, file in repo.files.items():
            if folder and not name.startswith(folder + "/"):
                continue
            entry: dict[str, Any] = {"type": "file", "path": name, "size": file.size, "oid": file.git_oid}
            if file.lfs:
                entry["lfs"] = {"oid": file.sha256, "size": file.size, "pointerSize": 135}
            entries.append(entry)
        self.send_json(entries)

    def _resolve(self, parts: list[str]) -> None:
        at = parts.index("resolve")
        repo = self._allowed("/".join(parts[:at]))
        if repo is None:
            return
        name = "/".join(parts[at + 2 :])
        if repo.gated and repo.id not in self.hub.tokens.get(self._token(), set()):
            message = f"Access to model {repo.id} is restricted. You must have access to it and be authenticated."
            self.refuse(403 if self._token() else 401, "GatedRepo", message)
        elif (found := repo.at(unquote(parts[at + 1]))) is None:
            self.refuse(404, "RevisionNotFound", "Invalid rev id")
        elif (file := found[1].get(name)) is None:
            self.refuse(404, "EntryNotFound", "Entry not found")
        elif not file.lfs:
            self._send_on(f"/api/resolve-cache/models/{quote(repo.id)}/{repo.commit}/{quote(name)}", repo)
        else:
            self._redirect(repo, file, name, found[0])

    def _send_on(self, location: str, repo: FakeRepo) -> None:
        """Small files come from the Hub's own cache."""
        self.send_response(307)
        for header, value in {"Location": location, "X-Repo-Commit": repo.commit, "Content-Length": "0"}.items():
            self.send_header(header, value)
        self.end_headers()

    def _from_cache(self, parts: list[str]) -> None:
        repo = self._allowed("/".join(parts[3:5]))
        file = repo.files.get("/".join(parts[6:])) if repo else None
        if repo and file:
            self.send_file(file, {"X-Repo-Commit": repo.commit, "ETag": f'"{file.git_oid}"'}, "resolve")
        elif repo:
            self.refuse(404, "EntryNotFound", "Entry not found")

    def _redirect(self, repo: FakeRepo, file: FakeFile, name: str, commit: str) -> None:
        changed = self.hub.take("resolve", self.route, self.command, ("etag",))
        linked = changed.headers.get("ETag", '"another"') if changed else f'"{file.sha256}"'
        self.send_response(302)
        if name in self.hub.xet:
            self.send_header("X-Xet-Hash", self.hub.xet[name])
            self.send_header("X-Xet-Refresh-Route", f"{self.hub.endpoint}/api/models/{repo.id}/xet-read-token/main")
        for header, value in {
            "Location": self.hub.sign(file, f"repos/{commit[:4]}/{file.sha256}/{name}"),
            "X-Repo-Commit": commit,
            "X-Linked-Size": str(file.size),
            "X-Linked-Etag": linked,
            "Accept-Ranges": "bytes",
            "Content-Length": "0",
        }.items():
            self.send_header(header, value)
        self.end_headers()


class _CdnHandler(_Handler):
    def answer(self) -> None:
        if self.planned("cdn"):
            return
        if self.hub.take("cdn", self.route, self.command, ("expired",)):
            self.hub.expire_links()
        if self.headers.get("Authorization"):
            self.refuse(400, message="Only one auth mechanism allowed")
            return
        file = self.hub.signed(self.query.get("Signature", [""])[0])
        if file is None:
            self.refuse(403, message="Request has expired")
            return
        self.send_file(file, {"ETag": f'"{file.sha256[:32]}"'}, "cdn")  # storage has its own ETag, not the sha256


@contextlib.contextmanager
def fake_hub(**options: Any) -> Iterator[FakeHub]:
    with FakeHub(**options) as hub:
        yield hub
