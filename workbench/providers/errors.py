"""Turns HTTP statuses, vendors' error bodies and broken connections into plain words and what to do about them."""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Mapping
from typing import Any

from workbench.core.errors import ProviderError
from workbench.core.redact import redact
from workbench.providers.retry import parse_retry_after

DETAIL_LIMIT = 4000
"""Characters of a response body kept in the copyable details."""

KEPT = "The text so far is kept; send the message again for a complete answer."


class ApiError(ProviderError):
    """A `ProviderError` with a kind of its own, so that the cause can be told apart without reading its text."""

    def __init__(
        self,
        kind: str,
        message: str,
        *,
        hint: str = "",
        detail: str = "",
        status: int | None = None,
        retry_after_s: float | None = None,
        retryable: bool = False,
        code: str = "",
        parameter: str = "",
    ) -> None:
        super().__init__(
            redact(message),
            hint=hint,
            detail=redact(detail)[:DETAIL_LIMIT],
            status=status,
            retry_after_s=retry_after_s,
            retryable=retryable,
        )
        self.kind = kind
        self.code = code
        """The vendor's own word for the error."""
        self.parameter = parameter
        """The request's field the vendor objects to, if it says so."""


def broken_answer(kind: str, service: str, what: str, detail: str = "", *, retryable: bool = True) -> ApiError:
    """An answer that can't be trusted to be complete."""
    return ApiError(kind, f"{service}'s answer {what}.", hint=KEPT, detail=detail, retryable=retryable)


def malformed(service: str, detail: str) -> ApiError:
    # Not retryable: what can't be read once can't be read the second time.
    return broken_answer("stream_malformed", service, "contained data that can't be read", detail, retryable=False)


def ended_early(service: str) -> ApiError:
    return broken_answer("stream_ended_early", service, "ended before it was complete")


# --- HTTP statuses --------------------------------------------------------------------------------------------
_STATUS_KINDS = {
    400: "bad_request",
    401: "auth_failed",
    402: "quota_exceeded",
    403: "permission_denied",
    404: "not_found",
    408: "timeout",
    413: "request_too_large",
    422: "bad_request",
    429: "rate_limited",
    503: "overloaded",
    529: "overloaded",
}
_RETRYABLE = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})

# Vendors' names of errors, also sent inside a stream that began with status 200.
_CODE_STATUS = {
    "invalid_request_error": 400,
    "invalid_prompt": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "billing_error": 402,
    "insufficient_quota": 402,
    "permission_error": 403,
    "permission_denied": 403,
    "not_found_error": 404,
    "model_not_found": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "resource_exhausted": 429,
    "api_error": 500,
    "server_error": 500,
    "internal": 500,
    "unavailable": 503,
    "overloaded_error": 529,
    "timeout_error": 504,
    "deadline_exceeded": 504,
}

_MESSAGES = {
    "bad_request": ("{service} rejected the request: {said}", "Change the setting it names, or choose another model."),
    "auth_failed": ("{service} did not accept the key.", "Check it under Settings, Providers{variable}."),
    "permission_denied": (
        "{service} does not allow this: {said}",
        "Check that the key may use this model, and that the service is available in your region.",
    ),
    "not_found": (
        "{service} does not know this model or address: {said}",
        "Choose a model from the provider's list, and check the base URL under Settings, Providers.",
    ),
    "quota_exceeded": (
        "The account at {service} has no credit left, or has reached its spending limit.",
        "Add credit or raise the limit on the provider's billing page.",
    ),
    "rate_limited": ("{service} limits how often it may be asked: {said}", "Wait a little, then try again."),
    "overloaded": ("{service} is overloaded at the moment.", "Try again in a few minutes, or use another model."),
    "timeout": ("{service} took too long.", "Try again, or use a shorter prompt."),
    "request_too_large": ("The request is too large for {service}.", "Remove attachments or shorten the prompt."),
    "context_overflow": (
        "The prompt does not fit into the model's context: {said}",
        "Drop the oldest turns, or shorten the prompt.",
    ),
    "server_error": ("{service} had an internal error ({status}).", "Try again in a few minutes."),
    "redirected": (
        "{service} answers from another address ({location}); the key was not sent there.",
        "Correct the base URL under Settings, Providers.",
    ),
    "bad_status": ("{service} answered with the unexpected status {status}.", "Check the base URL."),
}

_CONTEXT_WORDS = re.compile(
    r"context[_ ]length|context window|maximum context|prompt is too long|too many tokens|input token count"
    r"|exceeds? the (?:available )?context|exceed_context_size",
    re.IGNORECASE,
)
_QUOTA_WORDS = re.compile(r"insufficient[_ ](?:quota|balance|credits)|credit balance|billing", re.IGNORECASE)
_KEY_WORDS = re.compile(r"api[_ ]key[_ ](?:not valid|invalid)|invalid[_ ]api[_ ]key", re.IGNORECASE)
_UNSUPPORTED_WORDS = re.compile(
    r"unsupported|not support|does(?:n't| not) (?:support|accept)|deprecated|not (?:allowed|permitted)|unrecognized"
    r"|unknown (?:name|field|parameter)|extra inputs|only the default|cannot be (?:set|used|disabled)",
    re.IGNORECASE,
)


def from_response(
    service: str, status: int, headers: Mapping[str, str], body: bytes, *, key_variable: str = "", now: float
) -> ApiError:
    """The error for an HTTP response that is not a success. `now` is the wall clock in seconds."""
    text = body.decode("utf-8", "replace")
    said, code, parameter, delay = _read_body(text)
    retry_after = parse_retry_after(headers, now)
    return _build(
        service,
        status,
        said or text.strip()[:200],
        code,
        parameter=parameter,
        retry_after_s=retry_after if retry_after is not None else delay,
        detail=f"HTTP {status}\n{text}",
        key_variable=key_variable,
        location=headers.get("location", ""),
        should_retry=headers.get("x-should-retry", ""),
    )


def from_stream(service: str, data: Any, *, key_variable: str = "") -> ApiError:
    """The error for an error event inside a stream; `data` is its decoded JSON."""
    detail = json.dumps(data, ensure_ascii=False)
    said, code, parameter, delay = _read_body(detail)
    status = _CODE_STATUS.get(code.lower())
    if status is None:
        number = data.get("error") if isinstance(data, dict) else None
        number = number.get("code") if isinstance(number, dict) else None
        status = number if isinstance(number, int) and 400 <= number <= 599 else 500
    return _build(
        service,
        status,
        said or code or "no reason given",
        code,
        parameter=parameter,
        retry_after_s=delay,
        detail=f"Error inside the stream\n{detail}",
        key_variable=key_variable,
    )


def _build(
    service: str,
    status: int,
    said: str,
    code: str,
    *,
    parameter: str = "",
    retry_after_s: float | None = None,
    detail: str = "",
    key_variable: str = "",
    location: str = "",
    should_retry: str = "",
) -> ApiError:
    kind = _kind(status, said, code)
    message, hint = _MESSAGES[kind]
    values = {
        "service": service,
        "said": said.rstrip(". ") + "." if said else "no reason given.",
        "status": status,
        "location": location.split("?")[0][:200],
        "variable": f", or the variable {key_variable}" if key_variable else "",
    }
    retryable = status in _RETRYABLE and kind != "quota_exceeded"
    if should_retry in {"true", "false"}:
        retryable = should_retry == "true"
    return ApiError(
        kind,
        message.format(**values),
        hint=hint.format(**values),
        detail=detail,
        status=status,
        retry_after_s=retry_after_s,
        retryable=retryable,
        code=code,
        parameter=parameter or _parameter_in(said),
    )


def _kind(status: int, said: str, code: str) -> str:
    words = f"{code} {said}"
    if status in {400, 413, 422} and _CONTEXT_WORDS.search(words):
        return "context_overflow"
    if status in {400, 402, 403, 429} and _QUOTA_WORDS.search(words):
        return "quota_exceeded"
    if status in {400, 401} and _KEY_WORDS.search(words):
        return "auth_failed"
    if 300 <= status < 400:
        return "redirected"
    if status in _STATUS_KINDS:
        return _STATUS_KINDS[status]
    return "server_error" if status >= 500 else "bad_request" if status >= 400 else "bad_status"


def _parameter_in(said: str) -> str:
    """The field a message like "`temperature` is deprecated for this model" objects to."""
    if not _UNSUPPORTED_WORDS.search(said):
        return ""
    quoted = re.search(r"[`'\"](\w+)(?:\.[\w.]+)?[`'\"]", said)
    first = re.match(r"(\w+)(?::|\.\w| is | does | may | cannot )", said)
    match = quoted or first
    return match[1] if match else ""


def _read_body(text: str) -> tuple[str, str, str, float | None]:
    """(what the vendor said, its word for the error, the parameter it objects to, seconds to wait) of an error body."""
    try:
        data = json.loads(text)
    except ValueError:
        return "", "", "", None
    if isinstance(data, list) and data:  # Gemini without alt=sse sends an array
        data = data[0]
    if not isinstance(data, dict):
        return "", "", "", None
    error = data.get("error", data)
    if isinstance(error, str):
        return error, "", "", None
    if not isinstance(error, dict):
        error = data
    said = error.get("message") or error.get("detail") or data.get("message") or data.get("detail") or ""
    names = (error.get("code"), error.get("type"), error.get("status"))
    code = next((name for name in names if isinstance(name, str) and name not in {"", "error"}), "")
    parameter = error.get("param")
    return (
        said if isinstance(said, str) else json.dumps(said),
        code,
        parameter if isinstance(parameter, str) else "",
        _google_delay(error.get("details")),
    )


def _google_delay(details: Any) -> float | None:
    """Gemini says how long to wait in the body: google.rpc.RetryInfo with `retryDelay: "17s"`."""
    for entry in details if isinstance(details, list) else ():
        delay = entry.get("retryDelay") if isinstance(entry, dict) else None
        if isinstance(delay, str) and (match := re.fullmatch(r"(\d+(?:\.\d+)?)s", delay)):
            return float(match[1])
    return None


# --- connections ----------------------------------------------------------------------------------------------
def from_transport(service: str, error: Exception, *, host: str, local: bool, opening: bool) -> ApiError:
    """The error for an exception of httpx2. `opening`: before the response's headers; `local`: it is this machine."""
    detail = f"{type(error).__name__}: {error}"
    name = type(error).__name__
    if name == "ConnectTimeout":
        return ApiError(
            "connect_timeout",
            f"{service} ({host}) can't be reached: no answer to the connection attempt.",
            hint="Check the network, the proxy and the base URL.",
            detail=detail,
            retryable=True,
        )
    if name in {"ReadTimeout", "WriteTimeout", "PoolTimeout"}:
        return broken_answer("stream_stalled", service, "stalled: nothing arrived for too long", detail)
    if name == "ProxyError":
        return ApiError(
            "proxy_failed",
            f"The proxy refused the connection to {host}.",
            hint="Check the proxy under Settings, Network.",
            detail=detail,
        )
    if name in {"InvalidURL", "UnsupportedProtocol", "LocalProtocolError"}:
        return ApiError("bad_url", f"The address of {service} is not usable: {error}", hint="Correct the base URL.")
    if name == "ConnectError":
        return _connect_error(service, _root_cause(error), detail, host, local)
    if name in {"DecodingError", "SSEError"}:
        return malformed(service, detail)
    if opening:
        return ApiError(
            "connection_lost",
            f"{service} closed the connection before it answered.",
            hint="Try again.",
            detail=detail,
            retryable=True,
        )
    return broken_answer("stream_cut", service, "broke off: the connection was lost", detail)


def _connect_error(service: str, cause: BaseException | None, detail: str, host: str, local: bool) -> ApiError:
    if isinstance(cause, ssl.SSLError):
        return ApiError(
            "tls_failed",
            f"No secure connection to {service} ({host}): its certificate or encryption was not accepted.",
            hint="If your network inspects traffic, add its certificate file under Settings, Network.",
            detail=detail,
        )
    if isinstance(cause, socket.gaierror):
        return ApiError(
            "dns_failed",
            f"The address {host} of {service} was not found.",
            hint="Check that this machine is online, and the base URL.",
            detail=detail,
            retryable=cause.errno == socket.EAI_AGAIN,
        )
    if isinstance(cause, ConnectionRefusedError):
        hint = (
            f"Start {service} on this machine, or correct its base URL."
            if local
            else "Check the base URL, the proxy and the firewall."
        )
        return ApiError(
            "connection_refused",
            f"Nothing answers at {host} ({service}).",
            hint=hint,
            detail=detail,
            retryable=not local,  # a program of this machine that isn't running won't start by being asked again
        )
    return ApiError(
        "connection_failed",
        f"{service} ({host}) can't be reached.",
        hint="Check the network, the proxy and the base URL.",
        detail=detail,
        retryable=True,
    )


def _root_cause(error: BaseException) -> BaseException | None:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None
