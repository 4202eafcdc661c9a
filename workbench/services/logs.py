"""The program's own log: a file that can't grow without bound and never holds a secret."""

from __future__ import annotations

import logging
import logging.handlers

from workbench.core.paths import Paths
from workbench.core.redact import SecretFilter

MAX_BYTES = 1_000_000
KEPT_FILES = 3


def start_logging(paths: Paths, level: int = logging.INFO) -> logging.Handler:
    """Log to `workbench.log`. Where that can't be written nothing is logged. Returns the handler, to be removed."""
    handler: logging.Handler
    try:
        paths.logs.mkdir(parents=True, exist_ok=True)
        handler = logging.handlers.RotatingFileHandler(
            paths.logs / "workbench.log", maxBytes=MAX_BYTES, backupCount=KEPT_FILES, encoding="utf-8", delay=True
        )
    except OSError:
        handler = logging.NullHandler()
    handler.addFilter(SecretFilter())
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    logging.getLogger("workbench").setLevel(level)
    return handler


def stop_logging(handler: logging.Handler) -> None:
    logging.getLogger().removeHandler(handler)
    handler.close()
