"""No secret leaves through text: not in logs, errors or reports."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from workbench.core import redact as module
from workbench.core.errors import ErrorInfo
from workbench.core.redact import REPLACEMENT, SecretFilter, format_exception, redact, redact_error, register_secret


@pytest.fixture(autouse=True)
def no_registered_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_secrets", set())


@pytest.mark.parametrize(
    "text",
    [
        "sk-abcdefghijklmnop1234",
        "sk-ant-api03-AbCd_efgh-ijklmnopqrstuvwxyz",
        "sk-or-v1-0123456789abcdef0123456789abcdef",
        "AIzaSyA1234567890abcdefghijklmnopqrstuv",
        "gsk_abcdefghijklmnopqrstuvwxyz",
        "hf_abcdefghijklmnopqrstuvwxyz",
        "xai-abcdefghijklmnopqrstuvwxyz",
        "Authorization: Bearer abc123def456ghi789",
        "authorization: Basic dXNlcjpwYXNzd29yZA==",
        '{"x-api-key": "0123456789abcdef"}',
        "https://host/v1?key=0123456789abcdef&x=1",
        "https://user:hunter2hunter2@host/v1",
        "api_key=0123456789abcdef",
    ],
)
def test_text_that_looks_like_a_key_is_removed(text: str) -> None:
    redacted = redact(f"before {text} after")
    assert REPLACEMENT in redacted
    assert redacted.startswith("before ")
    assert redacted.endswith(" after")
    for secret in ("abcdefghijkl", "0123456789abcdef", "hunter2", "dXNlcjpw", "AbCd_efgh", "abc123def456", "A12345"):
        assert secret not in redacted


@pytest.mark.parametrize(
    "text",
    [
        "The quick brown fox asks: sk-short",
        "tokens per second: 123456789",
        "https://example.org/path?page=2&q=monkey",
        "sha256 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "mask-this-is-not-a-key-at-all",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert redact(text) == text


def test_a_registered_secret_is_removed_in_every_encoding() -> None:
    secret = 'odd/"secret"+with=signs é'
    register_secret(secret)
    for form in (secret, quote(secret, safe=""), '{"k": "odd/\\"secret\\"+with=signs \\u00e9"}'):
        assert "secret" not in redact(f"x{form}x")


def test_placeholders_are_not_registered() -> None:
    register_secret("none")
    register_secret("  ")
    assert redact("none of it") == "none of it"


def test_redacting_twice_changes_nothing() -> None:
    once = redact("Authorization: Bearer sk-abcdefghijklmnop1234, ?key=abcdefgh12345")
    assert redact(once) == once


def test_errors_are_redacted_in_every_field() -> None:
    info = ErrorInfo(
        kind="k",
        message="a sk-abcdefghijklmnop1234",
        hint="sk-abcdefghijklmnop1234",
        detail="x\nsk-abcdefghijklmnop1234",
    )
    redacted = redact_error(info)
    assert "abcdefgh" not in repr(redacted)
    assert redacted.kind == "k"


@pytest.fixture
def log() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(SecretFilter())
    logger = logging.getLogger("tests.redact")
    logger.addHandler(handler)
    logger.propagate = False
    yield logger, stream
    logger.removeHandler(handler)


def test_log_records_are_redacted_with_arguments_and_tracebacks(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = log
    register_secret("topsecretvalue")
    logger.warning("key %s and %d", "topsecretvalue", 3)
    logger.warning("broken %d", "topsecretvalue")
    try:
        raise ValueError("topsecretvalue")
    except ValueError:
        logger.exception("failed", stack_info=True)
    text = stream.getvalue()
    assert "topsecretvalue" not in text
    assert f"key {REPLACEMENT} and 3" in text
    assert "ValueError" in text
    assert "Traceback" in text


def test_tracebacks_are_redacted_through_their_causes() -> None:
    register_secret("topsecretvalue")
    try:
        try:
            raise ValueError("topsecretvalue inside")
        except ValueError as error:
            raise RuntimeError("outside") from error
    except RuntimeError as error:
        text = format_exception(error)
    assert "topsecretvalue" not in text.replace('raise ValueError("topsecretvalue inside")', "")
    assert "outside" in text
