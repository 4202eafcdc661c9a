"""Connections to remote APIs: proxy, certificates, timeouts, the offline switch, and a cancel that acts at once.

httpx2 is imported on first use only (0.09 s, see DESIGN.md on start-up).
"""

from __future__ import annotations

import atexit
import functools
import ipaddress
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError, Future, InvalidStateError
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from workbench.core.cancel import CancelToken
from workbench.core.errors import Cancelled
from workbench.core.settings import Network
from workbench.providers.errors import ApiError, from_response, from_transport, malformed

if TYPE_CHECKING:
    import httpx2

KEEPALIVE_S = 60.0
MAX_EVENT_BYTES = 64 * 1024 * 1024
"""A single event may carry an image; more than this is a broken server."""
MAX_ERROR_BODY_BYTES = 64 * 1024
MAX_JSON_BYTES = 32 * 1024 * 1024
DRAIN_S = 0.25
"""How long to wait for the end of a response after its last event, so that the connection can be used again."""


class Timeouts(msgspec.Struct, frozen=True):
    """Seconds. `read`: the longest silence. Reasoning models and local servers may be silent for minutes."""

    connect: float = 15.0
    read: float = 300.0
    write: float = 60.0


def is_local(url: str) -> bool:
    """Whether the address is this machine."""
    host = hostname_of(url)
    if host == "localhost" or host.endswith(".localhost"):
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def hostname_of(url: str) -> str:
    """The name or number of the host alone; empty if the address is none."""
    with suppress(ValueError):
        return urlsplit(url).hostname or ""
    return ""


def host_of(url: str) -> str:
    """Host and port as the user wrote them, without a password."""
    with suppress(ValueError):
        return urlsplit(url).netloc.rpartition("@")[2]
    return url


class ApiClient:
    """Requests to one base URL. Thread-safe; keeps finished connections for the next request.

    Each connection has an httpx2 client of its own: that is how a request that still waits for its response can be
    ended by closing the socket under it, which a shared pool gives no handle for.
    """

    def __init__(self, service: str, base_url: str, network: Network, timeouts: Timeouts = Timeouts()) -> None:  # noqa: B008 - frozen
        self.service = service
        self.base_url = base_url.rstrip("/")
        self.host = host_of(base_url)
        self.local = is_local(base_url)
        self._network = network
        self._timeouts = timeouts
        self._lock = threading.Lock()
        self._idle: list[_Connection] = []
        self._ssl_context: ssl.SSLContext | bool | None = None
        self._closed = False

    def open(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        cancel: CancelToken,
        key_variable: str = "",
    ) -> ApiResponse:
        """Send a request; returns with the response's headers. Raises ApiError (error statuses too), Cancelled."""
        if self._network.offline and not self.local:
            raise ApiError(
                "offline",
                f"{self.service} was not asked: the program is set to stay offline.",
                hint="Switch offline mode off under Settings, Network.",
            )
        url = path if "://" in path else self.base_url + path
        response = self._send_on_a_live_connection(method, url, headers, body, cancel)
        if response.status != 200:
            raise self._status_error(response, key_variable)
        return response

    def get_json(self, path: str, *, headers: Mapping[str, str], cancel: CancelToken, key_variable: str = "") -> Any:
        """GET and decode. Raises ApiError, Cancelled."""
        response = self.open("GET", path, headers=headers, cancel=cancel, key_variable=key_variable)
        try:
            data = response.read(MAX_JSON_BYTES)
            return json.loads(data)
        except ValueError as error:
            raise malformed(self.service, f"{error}: {data[:200]!r}") from error
        finally:
            response.close()

    def close(self) -> None:
        """Close the idle connections. Those in use close when their responses do."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.client.close()

    def _send_on_a_live_connection(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, cancel: CancelToken
    ) -> ApiResponse:
        while True:
            connection = self._connection()
            reused = connection.requests > 0
            try:
                return self._send(connection, method, url, headers, body, cancel)
            except ApiError as error:
                # The server may have closed a kept connection at the very moment it was used: that says nothing.
                if not (reused and error.kind in {"connection_lost", "stream_cut"}):
                    raise

    def _send(
        self,
        connection: _Connection,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        cancel: CancelToken,
    ) -> ApiResponse:
        outcome: Future[httpx2.Response] = Future()

        def give_up() -> None:
            outcome.cancel()
            connection.abort()

        def work() -> None:
            try:
                request = connection.client.build_request(
                    method, url, headers=dict(headers), content=body, extensions={"trace": connection.trace}
                )
                response = connection.client.send(request, stream=True)
            except Exception as error:  # handed to the waiting thread
                with suppress(InvalidStateError):
                    outcome.set_exception(error)
                connection.client.close()
                return
            try:
                outcome.set_result(response)
            except InvalidStateError:
                response.close()
                connection.client.close()

        connection.requests += 1
        forget = cancel.on_cancel(give_up)
        # A thread of its own, because looking up a name and connecting can't be interrupted: a cancelled run leaves
        # it behind, and it ends by its own timeout.
        threading.Thread(target=work, name="api-request", daemon=True).start()
        try:
            response = outcome.result()
        except CancelledError:
            raise Cancelled("Stopped.") from None
        except Exception as error:
            forget()
            if cancel.cancelled:
                raise Cancelled("Stopped.") from None
            raise self._transport_error(error, opening=True) from error
        return ApiResponse(self, connection, response, cancel, forget)

    def _transport_error(self, error: Exception, *, opening: bool) -> ApiError:
        if isinstance(error, ApiError):
            return error
        if isinstance(error, UnicodeError):
            return ApiError("bad_key", f"The key for {self.service} contains characters that no key has.")
        if isinstance(error, _httpx2().HTTPError | _httpx2().InvalidURL | _httpx2().StreamError):
            return from_transport(self.service, error, host=self.host, local=self.local, opening=opening)
        raise error

    def _status_error(self, response: ApiResponse, key_variable: str) -> ApiError:
        body = b""
        try:
            body = response.read(MAX_ERROR_BODY_BYTES)
        except ApiError:
            pass  # the status alone says enough
        finally:
            response.close()
        return from_response(
            self.service, response.status, response.headers, body, key_variable=key_variable, now=time.time()
        )

    def _connection(self) -> _Connection:
        oldest = time.monotonic() - KEEPALIVE_S
        with self._lock:
            expired = [connection for connection in self._idle if connection.idle_since < oldest]
            self._idle = [connection for connection in self._idle if connection.idle_since >= oldest]
            connection = self._idle.pop() if self._idle else None
        for old in expired:
            old.client.close()
        return connection or _Connection(self._new_client())

    def _give_back(self, connection: _Connection) -> None:
        connection.idle_since = time.monotonic()
        with self._lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.client.close()

    def _new_client(self) -> httpx2.Client:
        module = _httpx2()
        try:
            return module.Client(
                verify=self._verify(),
                # A proxy never leads back to this machine, and HTTP_PROXY would capture 127.0.0.1 too.
                trust_env=not self.local,
                proxy=(self._network.proxy or None) if not self.local else None,
                timeout=module.Timeout(
                    connect=self._timeouts.connect,
                    read=self._timeouts.read,
                    write=self._timeouts.write,
                    pool=self._timeouts.connect,
                ),
                limits=module.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEEPALIVE_S),
                follow_redirects=False,  # the key goes to the configured host and to no other
            )
        except ImportError as error:
            raise ApiError(
                "proxy_failed",
                "SOCKS proxies need the package socksio.",
                hint="Install it with `pip install socksio`, or use an HTTP proxy.",
            ) from error
        except (ValueError, module.InvalidURL) as error:
            raise ApiError(
                "proxy_failed", f"The proxy setting is not usable: {error}", hint="Correct it under Settings, Network."
            ) from error

    def _verify(self) -> ssl.SSLContext | bool:
        """Certificates to trust: the system's and the user's own. Built once: reading them takes some 20 ms."""
        if self.local and self.base_url.startswith("http://"):
            return False  # no TLS, no proxy: nothing to verify
        with self._lock:
            if self._ssl_context is None:
                context = _httpx2().create_ssl_context()
                if self._network.ca_file:
                    try:
                        context.load_verify_locations(cafile=self._network.ca_file)
                    except (OSError, ssl.SSLError) as error:
                        raise ApiError(
                            "tls_failed",
                            f"The certificate file {self._network.ca_file} can't be used: {error}",
                            hint="Choose a PEM file under Settings, Network.",
                        ) from error
                self._ssl_context = context
            return self._ssl_context


class ApiResponse:
    """A response whose body is still arriving. Use from one thread; cancelling is possible from any."""

    def __init__(
        self,
        client: ApiClient,
        connection: _Connection,
        response: httpx2.Response,
        cancel: CancelToken,
        forget: Any,
    ) -> None:
        self._client = client
        self._connection = connection
        self._response = response
        self._cancel = cancel
        self._forget = forget
        self._rest: Iterator[Any] = iter(())
        self._complete = False
        self._closed = False
        self.status: int = response.status_code
        self.headers: Mapping[str, str] = response.headers

    def events(self) -> Iterator[str]:
        """The data of each server-sent event. Raises ApiError when the stream breaks, Cancelled."""
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "text/event-stream":
            start = self.read(1000).decode("utf-8", "replace")
            raise malformed(self._client.service, f"Expected a stream of events, got {kind or 'no type'}: {start}")
        self._rest = iter(_httpx2().EventSource(self._response, max_event_size=MAX_EVENT_BYTES))
        while (event := self._next()) is not None:
            if event.data:
                yield event.data

    def read(self, limit: int) -> bytes:
        """The body, at most about `limit` bytes of it. Raises ApiError, Cancelled."""
        self._rest = self._response.iter_bytes()
        chunks: list[bytes] = []
        size = 0
        while size < limit and (chunk := self._next()) is not None:
            chunks.append(chunk)
            size += len(chunk)
        return b"".join(chunks)

    def close(self) -> None:
        """Done with it. The connection is kept if the response was read to its end, else closed."""
        if self._closed:
            return
        self._closed = True
        self._forget()
        if self._complete and not self._cancel.cancelled and not self._connection.aborted:
            with suppress(Exception):
                self._response.close()
            self._client._give_back(self._connection)
            return
        with suppress(Exception):  # closing a broken connection may say again that it is broken
            self._response.close()
        self._connection.client.close()

    def drain(self) -> None:
        """Read what follows the last event, which is next to nothing, but not for long."""
        if self._complete or self._closed:
            return
        lock = threading.Lock()
        over = False

        def give_up() -> None:
            with lock:
                if not over:
                    self._connection.abort()

        timer = threading.Timer(DRAIN_S, give_up)
        timer.daemon = True
        timer.start()
        try:
            while self._next() is not None:
                pass
        except (ApiError, Cancelled):
            pass
        finally:
            timer.cancel()
            with lock:  # the timer must not end what this connection is used for next
                over = True

    def _next(self) -> Any:
        try:
            item = next(self._rest, None)
        except Exception as error:
            if self._cancel.cancelled:
                raise Cancelled("Stopped.") from None
            raise self._client._transport_error(error, opening=False) from error
        if self._cancel.cancelled:
            raise Cancelled("Stopped.")
        if item is None:
            self._complete = True
        return item


class _Connection:
    """An httpx2 client with one connection, and the handle to end whatever it is doing."""

    def __init__(self, client: httpx2.Client) -> None:
        self.client = client
        self.requests = 0
        self.idle_since = 0.0
        self._stream: Any = None
        self.aborted = False

    def trace(self, name: str, info: dict[str, Any]) -> None:
        """httpcore2's trace hook: the only public way to learn of a connection's socket before its response."""
        if name.endswith((".connect_tcp.complete", ".start_tls.complete")):
            self._stream = info["return_value"]
            if self.aborted:
                self.abort()

    def abort(self) -> None:
        """Make the thread that waits for this connection stop waiting. Safe from any thread."""
        self.aborted = True
        if self._stream is None:
            return
        sock = self._stream.get_extra_info("socket")
        if sock is not None:
            with suppress(OSError):
                # Not SSLSocket.shutdown, which takes the TLS object away from under the reading thread.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)


_clients: dict[tuple[str, str, Network, Timeouts], ApiClient] = {}
_clients_lock = threading.Lock()


def client_for(service: str, base_url: str, network: Network, timeouts: Timeouts) -> ApiClient:
    """The client all models of a service share. Changed settings make another one."""
    key = (service, base_url, network, timeouts)
    with _clients_lock:
        if key not in _clients:
            _clients[key] = ApiClient(*key)
        return _clients[key]


def close_clients() -> None:
    """Close every kept connection; for the end of the program and of each test."""
    with _clients_lock:
        clients = list(_clients.values())
        _clients.clear()
    for client in clients:
        client.close()


atexit.register(close_clients)


@functools.cache
def _httpx2() -> Any:
    import httpx2  # noqa: PLC0415 - 0.09 s that no start of the program should pay

    return httpx2
