"""How connections to the Hub are made: proxy, certificate authorities, timeouts that work, offline mode.

httpx2 takes a proxy or the environment's for a whole client; here each request picks its route, so that a
configured proxy, the system's proxies and their exceptions (`no_proxy`) all mean what users expect.
"""

from __future__ import annotations

import os
import ssl
import threading
import urllib.request
from pathlib import Path

import httpx2

import workbench
from workbench.core.errors import BadInput
from workbench.core.settings import Network
from workbench.hub.errors import HubError, Offline

CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 20.0
DEFAULT_ENDPOINT = "https://huggingface.co"
_TRUE = {"1", "ON", "YES", "TRUE"}


def is_offline(network: Network) -> bool:
    """Whether the settings or the environment forbid connections to other machines."""
    variables = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    return network.offline or any(os.environ.get(name, "").upper() in _TRUE for name in variables)


def hub_endpoint() -> str:
    """The Hub's address without a slash at the end; `HF_ENDPOINT` names another."""
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or DEFAULT_ENDPOINT


def same_origin(url: httpx2.URL, endpoint: str) -> bool:
    """Whether the token of the Hub at `endpoint` may go to this address."""
    hub = httpx2.URL(endpoint)
    return (url.scheme, url.host, url.port) == (hub.scheme, hub.host, hub.port)


def user_agent() -> str:
    return f"model-workbench/{workbench.__version__}"


def ssl_context(network: Network) -> ssl.SSLContext:
    """The system's authorities, plus those of `ca_file` or of the variables other programs use. Raises BadInput."""
    context: ssl.SSLContext = httpx2.create_ssl_context()
    named = [network.ca_file] + [os.environ.get(v, "") for v in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")]
    extra = next((name for name in named if name), "")
    if extra:
        path = Path(extra).expanduser()
        try:
            context.load_verify_locations(
                cafile=None if path.is_dir() else path, capath=path if path.is_dir() else None
            )
        except (OSError, ssl.SSLError) as error:
            raise BadInput(
                f"The CA file {path} can't be used: {error}.", hint="Settings > Network wants a PEM file."
            ) from error
    return context


class HubTransport(httpx2.BaseTransport):  # type: ignore[misc]  # the library is not followed
    """Sends each request on its route with timeouts filled in where the caller set none.

    huggingface_hub passes `timeout=None` to its searches, which would wait for ever on a silent server; a
    client's default does not help there, because None is a value.
    """

    def __init__(
        self, network: Network, *, connect_s: float = CONNECT_TIMEOUT_S, read_s: float = READ_TIMEOUT_S
    ) -> None:
        self._network = network
        self._timeout = {"connect": connect_s, "read": read_s, "write": read_s, "pool": connect_s}
        self._routes: dict[tuple[str, str], httpx2.HTTPTransport] = {}
        """By scheme and proxy."""
        self._lock = threading.Lock()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if is_offline(self._network):
            raise Offline("Reaching the Hub")
        asked = request.extensions.get("timeout") or {}
        filled = {name: asked.get(name) or seconds for name, seconds in self._timeout.items()}
        request.extensions = {**request.extensions, "timeout": filled}
        return self._route(request.url).handle_request(request)

    def close(self) -> None:
        with self._lock:
            routes, self._routes = list(self._routes.values()), {}
        for transport in routes:
            transport.close()

    def _route(self, url: httpx2.URL) -> httpx2.HTTPTransport:
        scheme = str(url.scheme)
        proxy = proxy_for(scheme, str(url.host), self._network)
        with self._lock:
            key = (scheme, proxy)
            if key not in self._routes:
                # reading the authorities takes longer than a request on the own machine
                tls = ssl_context(self._network) if "https" in scheme + proxy else False
                try:
                    self._routes[key] = httpx2.HTTPTransport(verify=tls, proxy=proxy or None, trust_env=False)
                except (ValueError, ImportError, httpx2.InvalidURL) as error:
                    raise BadInput(f"The proxy {proxy} can't be used: {error}.") from error
            return self._routes[key]


def proxy_for(scheme: str, host: str, network: Network) -> str:
    """The proxy's URL for requests to this host; empty for a direct connection."""
    if network.proxy:
        return network.proxy
    if urllib.request.proxy_bypass(host):
        return ""
    proxies = urllib.request.getproxies()
    proxy = proxies.get(scheme) or proxies.get("all") or ""
    return proxy if "://" in proxy or not proxy else f"http://{proxy}"


def unreachable(error: httpx2.TransportError, host: str) -> HubError:
    """A transport's error in plain words."""
    detail = f"{type(error).__name__}: {error}"
    if isinstance(error, httpx2.ProxyError):
        return HubError(f"The proxy refused the connection to {host}.", hint="Check Settings > Network.", detail=detail)
    if "CERTIFICATE_VERIFY_FAILED" in detail:
        return HubError(
            f"The certificate of {host} is not trusted here.",
            hint="If your network inspects traffic, name its CA file in Settings > Network.",
            detail=detail,
        )
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        return HubError(
            f"{host} can't be reached.", hint="Check the connection and the proxy.", detail=detail, retryable=True
        )
    if isinstance(error, httpx2.TimeoutException):
        return HubError(f"{host} did not answer in time.", hint="Try again.", detail=detail, retryable=True)
    return HubError(f"The connection to {host} broke off.", hint="Try again.", detail=detail, retryable=True)
