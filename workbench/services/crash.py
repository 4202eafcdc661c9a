"""Reports of our own bugs: one text file each, without secrets, for the user to read and to send if they like."""

from __future__ import annotations

import contextlib
import datetime
import platform
import sys
import tempfile
from pathlib import Path

from workbench import __version__
from workbench.core.paths import Paths
from workbench.core.redact import format_exception, redact

KEPT_REPORTS = 20


def write_crash_report(error: BaseException, paths: Paths, *, doing: str = "") -> Path | None:
    """Write the report and drop the oldest ones. Returns its path, or None where nothing can be written."""
    now = datetime.datetime.now(datetime.UTC)
    text = "\n".join(
        [
            f"Model Workbench {__version__}, Python {platform.python_version()}, {platform.platform()}",
            f"Time: {now.isoformat(timespec='seconds')}",
            f"Doing: {redact(doing) or 'unknown'}",
            "",
            format_exception(error),
        ]
    )
    name = f"crash-{now:%Y%m%d-%H%M%S-%f}.txt"
    for folder in (paths.crash_reports, Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            report = folder / name
            report.write_text(text, encoding="utf-8")
        except OSError as problem:
            print(f"No crash report in {folder}: {problem}", file=sys.stderr)  # noqa: T201 - nowhere else to say it
            continue
        if folder == paths.crash_reports:  # elsewhere, files of such names are others' too
            _drop_oldest(folder)
        return report
    return None


def _drop_oldest(folder: Path) -> None:
    for report in sorted(folder.glob("crash-*.txt"))[:-KEPT_REPORTS]:
        with contextlib.suppress(OSError):
            report.unlink()
