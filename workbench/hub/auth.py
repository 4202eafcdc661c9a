"""The Hugging Face token from where other tools keep it, read when it is needed."""

from __future__ import annotations

import os
from pathlib import Path


def hf_home() -> Path:
    """Hugging Face's own folder: `HF_HOME`, else in the user's cache folder."""
    if named := os.environ.get("HF_HOME"):
        return Path(os.path.expandvars(named)).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "huggingface"


def usual_token() -> str | None:
    """The token of `HF_TOKEN` or of `hf auth login`'s file; None where there is none."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        if token := os.environ.get(name, "").strip():
            return token
    named = os.environ.get("HF_TOKEN_PATH")
    path = Path(os.path.expandvars(named)).expanduser() if named else hf_home() / "token"
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError):
        return None
