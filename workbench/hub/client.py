"""Search and repository details, through huggingface_hub with timeouts and cancel that work."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import httpx2

from workbench.core.cancel import CancelToken
from workbench.core.errors import Cancelled, WorkbenchError
from workbench.core.settings import Network
from workbench.hub.auth import usual_token
from workbench.hub.errors import BadToken, GatedRepo, HubError, Offline, RepoNotFound
from workbench.hub.network import HubTransport, hub_endpoint, is_offline, same_origin, unreachable, user_agent
from workbench.hub.repos import RepoDetails, RepoFile, RepoSummary, SearchQuery, group_files

T = TypeVar("T")

ANSWER_TIMEOUT_S = 60.0
"""Longest a whole answer may take, however steadily it trickles."""
ANSWER_LIMIT_BYTES = 64 << 20
CARD_LIMIT_BYTES = 2_000_000
_SORT = {
    "trending": "trendingScore",
    "downloads": "downloads",
    "likes": "likes",
    "updated": "lastModified",
    "created": "createdAt",
}
_EXPAND = ["downloads", "likes", "lastModified", "pipeline_tag", "tags", "gated", "private", "gguf"]


class HubClient:
    """Asks the Hub. Every call blocks: not for the UI thread. Thread-safe.

    `token` is asked at each call, so a token entered meanwhile is used by the next one.
    """

    def __init__(
        self,
        network: Network | None = None,
        *,
        token: Callable[[], str | None] = usual_token,
        endpoint: str = "",
        read_timeout_s: float = 20.0,
    ) -> None:
        self.network = network or Network()
        self.endpoint = endpoint or hub_endpoint()
        self._token = token
        self._transport = _MetadataTransport(self.network, read_s=read_timeout_s)

    def search(self, query: SearchQuery) -> SearchResults:
        """Start a search; nothing is sent before its first page is asked for."""
        return SearchResults(self, query)

    def details(self, repo_id: str, cancel: CancelToken, *, revision: str = "main", card: bool = True) -> RepoDetails:
        """Files, sizes and checksums of a repository, with its card. Raises HubError or Cancelled."""
        info = self.call(
            lambda api: api.model_info(repo_id, revision=revision, files_metadata=True), cancel, repo_id=repo_id
        )
        files = [_file(sibling) for sibling in info.siblings or []]
        quantizations, projectors, others = group_files(files)
        return RepoDetails(
            summary=_summary(info),
            revision=info.sha or revision,
            quantizations=quantizations,
            projectors=projectors,
            other_files=others,
            card=self._card(repo_id, info.sha or revision, others, cancel) if card else "",
        )

    def call(self, ask: Callable[[Any], T], cancel: CancelToken, *, repo_id: str = "") -> T:
        """Run `ask(HfApi)` in a thread of its own; returns, or raises Cancelled as soon as `cancel` is set.

        A request that was given up ends by its own timeout; huggingface_hub has no way to stop it sooner.
        """
        if is_offline(self.network):
            raise Offline("Asking the Hub")
        token = self._token()
        return run_abandonable(lambda: self._ask(ask, token, repo_id), cancel)

    def access_url(self, repo_id: str) -> str:
        """The page where access to a gated repository is asked for."""
        return f"{self.endpoint}/{repo_id}"

    def close(self) -> None:
        self._transport.close()

    def _ask(self, ask: Callable[[Any], T], token: str | None, repo_id: str) -> T:
        hub = _huggingface_hub(self._transport)
        try:
            return ask(hub.HfApi(endpoint=self.endpoint, token=token or False, user_agent=user_agent()))
        except hub.errors.HfHubHTTPError as error:
            raise self._explain(hub, error, repo_id, bool(token)) from error
        except hub.errors.HFValidationError as error:
            raise RepoNotFound(f"{repo_id} is not the name of a repository.", detail=str(error)) from error

    def _explain(self, hub: Any, error: Any, repo_id: str, has_token: bool) -> HubError:
        status = error.response.status_code if error.response is not None else None
        detail = str(error)[:2000]
        if isinstance(error, hub.errors.GatedRepoError):  # a kind of RepositoryNotFoundError: must come first
            return GatedRepo(repo_id, self.access_url(repo_id), has_token=has_token, detail=detail)
        if status == 401 and has_token and "credentials" in detail.casefold():
            return bad_token(detail)
        if isinstance(error, hub.errors.RepositoryNotFoundError):
            return repo_not_found(repo_id, has_token, detail)
        if isinstance(error, hub.errors.RevisionNotFoundError | hub.errors.EntryNotFoundError):
            return RepoNotFound(f"{repo_id} has no such revision or file.", detail=detail, status=404)
        if status == 401:
            return bad_token(detail)
        return HubError(f"The Hub answered with an error ({status}).", hint="Try again later.", detail=detail)

    def _card(self, repo_id: str, revision: str, files: tuple[RepoFile, ...], cancel: CancelToken) -> str:
        if not any(file.path == "README.md" and file.size_bytes <= CARD_LIMIT_BYTES for file in files):
            return ""

        def fetch(api: Any) -> str:
            hub = _huggingface_hub(self._transport)
            url = f"{self.endpoint}/{repo_id}/resolve/{revision}/README.md"
            response = hub.utils.get_session().get(url, headers=api._build_hf_headers())
            hub.utils.hf_raise_for_status(response)
            return str(response.text)

        try:
            text = self.call(fetch, cancel, repo_id=repo_id)
        except Cancelled:
            raise
        except WorkbenchError:
            return ""  # a card is a nicety; the files are what was asked for
        return re.sub(r"\A---\r?\n.*?\r?\n---\r?\n", "", text, flags=re.DOTALL)


class SearchResults:
    """The pages of one search, fetched as they are asked for."""

    def __init__(self, client: HubClient, query: SearchQuery) -> None:
        self.query = query
        self.finished = False
        self._client = client
        self._here: list[dict[str, Any]] = []
        """Items that came with the last answer and belong to later pages."""
        self._address: str | None = ""
        """Of the next answer; empty for the first, None after the last."""

    def next_page(self, cancel: CancelToken) -> list[RepoSummary]:
        """Up to `page_size` more repositories; none when there are no more. Raises HubError or Cancelled."""
        if self.finished:
            return []
        page, self._here, self._address = self._client.call(lambda api: self._fetch(api, cancel), cancel)
        self.finished = len(page) < self.query.page_size
        return page

    def _fetch(self, api: Any, cancel: CancelToken) -> tuple[list[RepoSummary], list[dict[str, Any]], str | None]:
        """A page, the items left over, and the next answer's address.

        The library's own helper is a generator; one that begins in one thread and goes on in another brought down
        the process, so the links are followed here. What fails changes nothing: it can be asked for again.
        """
        hub = _huggingface_hub(self._client._transport)
        items, address = list(self._here), self._address
        page: list[RepoSummary] = []
        while len(page) < self.query.page_size:
            if cancel.cancelled:  # nobody waits for the thread that this runs in any more
                raise Cancelled("Stopped.")
            if not items:
                if address is None:
                    break
                items, address = self._answer(hub, api, address)
                continue
            if self._fits(summary := _summary(hub.ModelInfo(**items.pop(0)))):
                page.append(summary)
        return page, items, address

    def _answer(self, hub: Any, api: Any, address: str) -> tuple[list[dict[str, Any]], str | None]:
        """One answer of the Hub's and where the next one is."""
        url = httpx2.URL(address or f"{api.endpoint}/api/models")
        response = hub.utils.get_session().get(
            url,
            params=None if address else self._params(),
            # the next page is where the answer says: the token goes to no other server than the Hub
            headers=api._build_hf_headers() if same_origin(url, api.endpoint) else {},
        )
        hub.utils.hf_raise_for_status(response)
        return response.json(), response.links.get("next", {}).get("url")

    def _params(self) -> dict[str, Any]:
        query = self.query
        tags = ["gguf"] + ([f"license:{query.license}"] if query.license else [])
        params: dict[str, Any] = {
            "filter": tags,
            "apps": ["llama.cpp"],
            "sort": _SORT[query.sort],
            "limit": query.page_size,
            "expand": _EXPAND,
        }
        named = {"search": query.text.strip(), "pipeline_tag": query.task, "author": query.author}
        params |= {name: value for name, value in named.items() if value}
        bounds = (("min", query.min_parameters), ("max", query.max_parameters))
        if limits := [f"{name}:{value}" for name, value in bounds if value is not None]:
            params["num_parameters"] = ",".join(limits)
        return params

    def _fits(self, repo: RepoSummary) -> bool:
        """Whether the size is within bounds, or unknown: the Hub does not know it of every repository."""
        low, high = self.query.min_parameters or 0, self.query.max_parameters
        return repo.parameters is None or (repo.parameters >= low and (high is None or repo.parameters <= high))


class _MetadataTransport(HubTransport):
    """Whole answers within a bounded time; failures become our errors, so huggingface_hub does not sleep on them."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        host = str(request.url.host)
        for last in (False, True):
            try:
                response = self._whole(request)
            except httpx2.TransportError as error:
                if last or isinstance(error, httpx2.TimeoutException):
                    raise unreachable(error, host) from error
                continue
            if response.status_code == 429:
                raise rate_limited(response)
            if response.status_code < 500:
                return response
            if not last:
                time.sleep(0.3)
        raise HubError(
            f"{host} has trouble ({response.status_code}).", hint="Try again later.", status=response.status_code
        )

    def _whole(self, request: httpx2.Request) -> httpx2.Response:
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        response = super().handle_request(request)
        pieces: list[bytes] = []
        size = 0
        try:
            for piece in response.stream:
                pieces.append(piece)
                size += len(piece)
                if size > ANSWER_LIMIT_BYTES:
                    raise HubError(f"The answer of {request.url.host} is too large.", hint="Is HF_ENDPOINT right?")
                if time.monotonic() > deadline:
                    raise httpx2.ReadTimeout("The answer took too long.", request=request)
        finally:
            response.close()
        return httpx2.Response(
            response.status_code,
            headers=response.headers,
            stream=httpx2.ByteStream(b"".join(pieces)),
            extensions={"http_version": response.extensions.get("http_version", b"HTTP/1.1")},
        )


def rate_limited(response: httpx2.Response) -> HubError:
    """A 429 in plain words, with how long to wait."""
    wait_s = retry_after_s(response.headers)
    when = f"in {wait_s:.0f} s" if wait_s is not None else "in a few minutes"
    return HubError(
        "The Hub asks for fewer requests.",
        hint=f"Try again {when}; a Hugging Face token raises the limit.",
        status=429,
        retry_after_s=wait_s,
        retryable=True,
    )


def retry_after_s(headers: httpx2.Headers) -> float | None:
    """Seconds to wait: `Retry-After` in seconds, or the `t` of the Hub's `RateLimit` header."""
    value = headers.get("retry-after", "").strip()
    if value.isdigit():
        return float(value)
    match = re.search(r"\bt\s*=\s*(\d+)", headers.get("ratelimit", ""))
    return float(match[1]) if match else None


def bad_token(detail: str) -> BadToken:
    return BadToken(
        "The Hub does not accept the access token.",
        hint="Check the token in Settings (or HF_TOKEN), or make a new one at huggingface.co/settings/tokens.",
        detail=detail,
        status=401,
    )


def repo_not_found(repo_id: str, has_token: bool, detail: str) -> RepoNotFound:
    hint = "Check its name" + ("." if has_token else "; if it is private, add an access token in Settings.")
    return RepoNotFound(f"The Hub has no repository {repo_id}.", hint=hint, detail=detail, status=404)


_import_lock = threading.Lock()


def _huggingface_hub(transport: httpx2.BaseTransport) -> Any:
    """The library, sending through `transport`. Its variables are read when it is first imported."""
    with _import_lock:
        os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"  # else the first call fetches a page nobody asked for
        import huggingface_hub  # noqa: PLC0415 - heavy SDK, needed only once the Hub is asked

        global _installed
        if _installed is not transport:
            huggingface_hub.set_client_factory(
                lambda: httpx2.Client(transport=transport, trust_env=False, follow_redirects=True, timeout=None)
            )
            _installed = transport
        return huggingface_hub


_installed: httpx2.BaseTransport | None = None


def run_abandonable(work: Callable[[], T], cancel: CancelToken, *, too_late: Callable[[T], None] | None = None) -> T:
    """Run blocking `work` in a thread and wait for it, or raise Cancelled at once when `cancel` is set.

    `too_late` gets the result of work that was given up (to close it).
    """
    results: list[T] = []
    errors: list[BaseException] = []
    over = threading.Event()
    lock = threading.Lock()
    given_up = False

    def run() -> None:
        try:
            result = work()
            with lock:
                results.append(result)
                late = given_up
            if late and too_late:
                too_late(result)
        except BaseException as error:
            errors.append(error)
        over.set()

    if cancel.cancelled:
        raise Cancelled("Stopped.")
    forget = cancel.on_cancel(over.set)
    try:
        threading.Thread(target=run, name="hub-request", daemon=True).start()
        while not over.wait(0.2):  # Windows looks for Ctrl+C only between waits
            pass
    finally:
        forget()
    with lock:
        given_up = True
        if results:
            return results[0]
    if errors:
        raise errors[0]
    raise Cancelled("Stopped.")


def _summary(info: Any) -> RepoSummary:
    tags = tuple(info.tags or ())
    gguf = info.gguf or {}
    return RepoSummary(
        id=info.id,
        downloads=info.downloads or 0,
        likes=info.likes or 0,
        updated=info.last_modified.isoformat() if info.last_modified else "",
        task=info.pipeline_tag or "",
        license=next((tag.removeprefix("license:") for tag in tags if tag.startswith("license:")), ""),
        gated=bool(info.gated),
        private=bool(info.private),
        tags=tags,
        parameters=gguf.get("total"),
        architecture=gguf.get("architecture") or "",
        context_length=gguf.get("context_length"),
        has_chat_template=bool(gguf.get("chat_template")) if gguf else None,
    )


def _file(sibling: Any) -> RepoFile:
    lfs = sibling.lfs
    sha256 = (lfs.get("sha256") if isinstance(lfs, dict) else getattr(lfs, "sha256", "")) if lfs else ""
    return RepoFile(path=sibling.rfilename, size_bytes=sibling.size or 0, sha256=sha256 or "")
