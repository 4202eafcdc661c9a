"""The one place that takes secrets out of text: logs, errors, crash reports, exports.

Two nets: secrets the program has read (registered by `services.keys`) are removed wherever they stand, and text that
looks like a key is removed even if nobody registered it.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import traceback
from urllib.parse import quote, quote_plus

import msgspec

from workbench.core.errors import ErrorInfo

REPLACEMENT = "[redacted]"
MIN_SECRET_CHARS = 8
"""Shorter values are placeholders (`none`, `ollama`), and removing them would garble ordinary text."""

# Prefixed keys of the services people use, then the places where a key without a prefix stands.
_KEY_SHAPES = re.compile(
    r"\b(?:sk|pk|rk)-[A-Za-z0-9_-]{16,}"  # OpenAI, Anthropic, OpenRouter, DeepSeek
    r"|\bAIza[A-Za-z0-9_-]{30,}"  # Google
    r"|\b(?:gsk|hf|r8|ghp|gho|ghs|tgp_v1|fw|csk)_[A-Za-z0-9_-]{16,}"  # Groq, Hugging Face, Replicate, GitHub, …
    r"|\b(?:xai|pplx|nvapi|esecret|jina)-[A-Za-z0-9_-]{16,}"
    r"|\bAKIA[A-Z0-9]{16}\b"
)
_LABELLED = re.compile(
    r"(?P<label>\b(?:bearer|basic)\s+"
    r"|\b(?:x-api-key|x-goog-api-key|api-key|api_key|apikey|authorization|access_token)"
    r"[\"']?\s*[:=]\s*[\"']?(?:bearer\s+|basic\s+)?"
    r"|[?&](?:key|api[-_]?key|access_token|token)=)"
    r"(?P<value>[A-Za-z0-9._~+/=%-]{8,})",
    re.IGNORECASE,
)
_USER_INFO = re.compile(r"(?P<scheme>\b[a-z][a-z0-9+.-]*://)[^\s/:@]+:[^\s/@]+@", re.IGNORECASE)

_lock = threading.Lock()
_secrets: set[str] = set()


def register_secret(secret: str) -> None:
    """Remove this value from all text that passes `redact` from now on, also URL-encoded or inside JSON."""
    secret = secret.strip()
    if len(secret) < MIN_SECRET_CHARS:
        return
    with _lock:
        _secrets.update({secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]})


def redact(text: str) -> str:
    """`text` without registered secrets and without anything that looks like a key."""
    with _lock:
        secrets = sorted(_secrets, key=len, reverse=True)
    for secret in secrets:
        text = text.replace(secret, REPLACEMENT)
    text = _KEY_SHAPES.sub(REPLACEMENT, text)
    text = _LABELLED.sub(_keep_label, text)
    return _USER_INFO.sub(rf"\g<scheme>{REPLACEMENT}@", text)


def redact_error(error: ErrorInfo) -> ErrorInfo:
    return msgspec.structs.replace(
        error, message=redact(error.message), hint=redact(error.hint), detail=redact(error.detail)
    )


def format_exception(error: BaseException) -> str:
    """The traceback as text for a log or crash report, without secrets."""
    return redact("".join(traceback.format_exception(error)))


class SecretFilter(logging.Filter):
    """Put on every log handler: what a record says, its exception included, is redacted before it is written."""

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            message = record.getMessage()
        except (TypeError, ValueError):
            message = f"{record.msg} {record.args!r}"
        record.msg, record.args = redact(message), None
        if record.exc_info and record.exc_info[1] is not None:
            record.exc_text = format_exception(record.exc_info[1]).rstrip()
        elif record.exc_text:
            record.exc_text = redact(record.exc_text)
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        return True


def _keep_label(match: re.Match[str]) -> str:
    return match["label"] + (match["value"] if match["value"] == REPLACEMENT else REPLACEMENT)
