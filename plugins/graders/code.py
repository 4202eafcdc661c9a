"""Runs the answer's Python code against the case's checks, in a bounded child process.

The code is a model's, so untrusted. The child gets: an empty folder, an empty environment, no site-packages, limits
on CPU time, memory and files, its own process group that is killed at the time limit, and no network, no child
processes and no files but its own (see code_guard). It is no virtual machine, and the title says so. Code written to
cheat this very grader can find the success token in its own process.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import regex

from workbench.core.errors import BadInput
from workbench.hookspecs import Grade

from .code_guard import READY, guard_source

FENCED = regex.compile(r"```(?:python|py)?[ \t]*\n(.*?)```", regex.DOTALL)
MAX_OUTPUT = 20_000
SUCCESS = "checks-passed"


class PythonCode:
    """`expected` is Python code with assertions, run after the answer's code in the same scope.

    Options: `timeout_s` (default 5), `memory_mb` (default 512).
    """

    name = "python_code"
    title = "The answer's Python code passes the checks (run in a limited process, not in a virtual machine)"

    def grade(self, answer: str, expected: Any, options: dict[str, Any]) -> Grade:
        if not isinstance(expected, str) or not expected.strip():
            raise BadInput("The grader 'python_code' needs checks: Python code with assertions.")
        try:
            compile(expected, "checks", "exec")
        except (SyntaxError, ValueError) as error:
            raise BadInput(f"The checks of 'python_code' are no Python code: {error}.") from None
        timeout_s, memory_mb = float(options.get("timeout_s", 5)), int(options.get("memory_mb", 512))
        with tempfile.TemporaryDirectory(prefix="workbench-code-") as folder:
            Path(folder, "answer.py").write_text(extract_code(answer), encoding="utf-8")
            Path(folder, "checks.py").write_text(expected, encoding="utf-8")
            return _run(guard_source(int(timeout_s) + 1, memory_mb * 2**20), Path(folder), timeout_s)


def extract_code(answer: str) -> str:
    """The fenced Python blocks of an answer, or all of it where nothing is fenced."""
    blocks = FENCED.findall(answer)
    return "\n\n".join(blocks) if blocks else answer


def _run(guard: str, folder: Path, timeout_s: float) -> Grade:
    token = f"{SUCCESS}-{os.urandom(16).hex()}"  # so that printing a fixed word can't fake a pass
    with open(folder / "output", "wb") as output:
        process = subprocess.Popen(
            _python(guard),
            cwd=folder,
            env={},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            process.communicate(token.encode() + b"\n", timeout=timeout_s)
        except subprocess.TimeoutExpired:
            return Grade(0.0, f"stopped after {timeout_s:g} s")
        finally:
            _kill_group(process)
    with open(folder / "output", "rb") as file:
        file.seek(max(0, os.path.getsize(folder / "output") - MAX_OUTPUT))  # noqa: PTH202  one stat, no Path needed
        text = file.read().decode(errors="replace")
    if not text.startswith(READY) and len(text) < MAX_OUTPUT:
        last = text.strip().splitlines()[-1:] or [f"it ended with code {process.returncode}"]
        raise BadInput(f"The limited process for the answer's code could not start: {last[0][:300]}.")
    if process.returncode == 0 and f"\n{token}\n" in text:
        return Grade(1.0)
    lines = [line for line in text.removeprefix(READY).replace(token, "").strip().splitlines() if line.strip()]
    return Grade(0.0, lines[-1][:300] if lines else f"ended with code {process.returncode}")


def _python(code: str) -> list[str]:
    """A command that runs the code. An installed program is its own Python and has no such options."""
    if getattr(sys, "frozen", False):
        return [sys.executable, "--python-code", code]
    return [sys.executable, "-I", "-S", "-B", "-u", "-X", "utf8", "-c", code]


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()
