"""From a repository's file to the bytes: who it is (commit, ETag, size) and the link that serves them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

import httpx2

from workbench.core.cancel import CancelToken
from workbench.core.settings import Network
from workbench.hub.client import bad_token, rate_limited, repo_not_found, run_abandonable
from workbench.hub.errors import GatedRepo, HubError, Offline, RepoNotFound
from workbench.hub.network import HubTransport, is_offline, same_origin, unreachable, user_agent

_REDIRECTS = 5
_IDENTITY = ("x-repo-commit", "x-linked-etag", "x-linked-size", "etag", "content-length")


@dataclass(frozen=True, slots=True)
class Resolved:
    """A file as the Hub describes it now."""

    commit: str
    etag: str
    size: int
    sha256: str
    """Of the content; empty for small files kept in git itself."""
    url: str
    """The Hub's own address, stable."""
    link: str
    """Where the bytes are now; signed and short-lived where it is on another host."""


class HubSession:
    """HTTP for one download: the token goes to the Hub's own origin and to no other."""

    def __init__(
        self,
        network: Network,
        endpoint: str,
        token: Callable[[], str | None],
        *,
        connect_s: float = 10.0,
        answer_s: float = 30.0,
    ) -> None:
        self.network = network
        self.endpoint = endpoint
        self._token = token
        self._http = httpx2.Client(
            transport=HubTransport(network, connect_s=connect_s, read_s=answer_s),
            trust_env=False,
            timeout=None,
            headers={"User-Agent": user_agent(), "Accept-Encoding": "identity"},
        )

    def close(self) -> None:
        self._http.close()

    def resolve(self, repo_id: str, filename: str, revision: str, cancel: CancelToken) -> Resolved:
        """Ask the Hub for a file. Raises HubError or Cancelled."""
        url = f"{self.endpoint}/{repo_id}/resolve/{quote(revision, safe='')}/{quote(filename)}"
        at = httpx2.URL(url)
        known: dict[str, str] = {}
        for _ in range(_REDIRECTS):
            response = self._send("HEAD", at, {}, cancel)
            response.close()
            known |= {name: response.headers[name] for name in _IDENTITY if name in response.headers}
            target = at.join(response.headers["location"]) if response.has_redirect_location else None
            # a mirror may send on to the Hub before anyone has said which file it is
            if target is None or (not self._is_hub(target) and "x-repo-commit" in known):
                self._check(response, repo_id, filename, revision)
                return _resolved(known, url, str(target or at))
            at = target
        raise HubError(f"The Hub sends {filename} round in circles.", detail=str(at))

    def open(self, link: str, start: int, end: int | None, cancel: CancelToken, if_range: str = "") -> httpx2.Response:
        """Ask for the bytes from `start` up to `end` (exclusive; None: all). The body is not read yet."""
        headers = {}
        if start or end is not None:
            headers["Range"] = f"bytes={start}-{'' if end is None else end - 1}"
            if if_range and not if_range.startswith("W/"):  # a weak ETag is not allowed there
                headers["If-Range"] = if_range
        at = httpx2.URL(link)
        for _ in range(_REDIRECTS):
            response = self._send("GET", at, headers, cancel)
            if not response.has_redirect_location:
                return response
            response.close()
            at = at.join(response.headers["location"])
        raise HubError("The storage sends the download round in circles.", detail=str(at.host))

    def _send(self, method: str, url: httpx2.URL, headers: dict[str, str], cancel: CancelToken) -> httpx2.Response:
        if is_offline(self.network):
            raise Offline("Downloading")
        token = self._token() if self._is_hub(url) else None
        auth = {"Authorization": f"Bearer {token}"} if token else {}
        request = self._http.build_request(method, url, headers=headers | auth)
        try:
            return run_abandonable(
                lambda: self._http.send(request, stream=True, follow_redirects=False),
                cancel,
                too_late=lambda response: response.close(),
            )
        except httpx2.TransportError as error:
            raise unreachable(error, str(url.host)) from error

    def _is_hub(self, url: httpx2.URL) -> bool:
        return same_origin(url, self.endpoint)

    def _check(self, response: httpx2.Response, repo_id: str, filename: str, revision: str) -> None:
        status = response.status_code
        if status < 400:
            return
        code = response.headers.get("x-error-code", "")
        message = response.headers.get("x-error-message", "")
        has_token = bool(self._token())
        detail = f"{status} {code} {message}".strip()
        if code == "GatedRepo":
            raise GatedRepo(repo_id, f"{self.endpoint}/{repo_id}", has_token=has_token, detail=detail)
        if status == 401 and "credentials" in message.casefold():
            raise bad_token(detail)
        if code == "RepoNotFound" or status == 401:
            raise repo_not_found(repo_id, has_token, detail)
        if code == "RevisionNotFound":
            raise RepoNotFound(
                f"{repo_id} has no version {revision[:12]}, or no longer.",
                hint="Search for the model again and start its download anew: that brings the version of today.",
                detail=detail,
                status=status,
            )
        if status in (404, 410):
            raise RepoNotFound(f"{repo_id} has no file {filename}.", detail=detail, status=status)
        if status == 429:
            raise rate_limited(response)
        if status == 403:
            raise HubError(
                f"The Hub refuses access to {repo_id}.",
                hint="Check what the access token may do.",
                detail=detail,
                status=403,
            )
        raise HubError(
            f"The Hub has trouble ({status}).", hint="Try again later.", detail=detail, status=status, retryable=True
        )


class RangeIgnored(Exception):
    """The server sends the whole file whatever is asked for, or knows no such range: start over."""


def check_bytes(response: httpx2.Response, start: int, size: int, *, whole: bool) -> None:
    """Whether a storage's answer is what was asked for: all of a file of `size` bytes, or it from `start` on.

    Raises RangeIgnored, or HubError that is worth another try.
    """
    status = response.status_code
    if status == 206:
        given = response.headers.get("content-range", "")
        if not given.startswith(f"bytes {start}-") or not given.endswith(f"/{size}"):
            raise HubError("The storage sent another part than was asked for.", detail=given, retryable=True)
    elif status == 200:
        if not whole:
            raise RangeIgnored
        length = response.headers.get("content-length")
        if length is not None and int(length) != size:
            raise HubError("The storage has another size for the file than the Hub.", detail=length, retryable=True)
    elif status == 416:
        raise RangeIgnored
    elif status == 429:
        raise rate_limited(response)
    elif status in (400, 401, 403, 404, 410):
        message = "The download link was refused; asking for a new one."
        raise HubError(message, detail=str(status), status=status, retryable=True)
    else:
        raise HubError(f"The storage has trouble ({status}).", status=status, retryable=True)


def _resolved(headers: dict[str, str], url: str, link: str) -> Resolved:
    etag = _plain(headers.get("x-linked-etag") or headers.get("etag", ""))
    size = headers.get("x-linked-size") or headers.get("content-length", "")
    commit = headers.get("x-repo-commit", "")
    if not (etag and size.isdigit() and commit):
        raise HubError(
            "The answer is not the Hub's: it names no commit, ETag or size.",
            hint="Is HF_ENDPOINT right, or does a network log-in page stand in between?",
            detail=str(headers)[:1000],
        )
    is_sha256 = bool(re.fullmatch(r"[0-9a-f]{64}", etag))
    return Resolved(commit=commit, etag=etag, size=int(size), sha256=etag if is_sha256 else "", url=url, link=link)


def _plain(etag: str) -> str:
    return etag.removeprefix("W/").strip('"')
