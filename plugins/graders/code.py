"""Runs the answer's Python code against the case's checks, in a bounded child process.

The code is a model's, so untrusted. The child gets: an empty folder, an empty environment, no site-packages, limits
on CPU time, memory, file size and processes, its own process group that is killed at the time limit, a network
namespace of its own where the system allows one, and an audit hook that refuses sockets, child processes, native
libraries and files outside its folder. That bounds accidents and ordinary malice; it is no virtual machine, and the
title says so. Code written to cheat this very grader can find the success token in its own process.
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

FENCED = regex.compile(r"```(?:python|py)?[ \t]*\n(.*?)```", regex.DOTALL)
MAX_OUTPUT = 20_000
SUCCESS = "checks-passed"

GUARD = """
import sys, os
try:
    import resource
    limit = lambda what, value: resource.setrlimit(what, (value, value))
    limit(resource.RLIMIT_CPU, {cpu_s})
    limit(resource.RLIMIT_AS, {memory_bytes})
    limit(resource.RLIMIT_FSIZE, 10_000_000)
    limit(resource.RLIMIT_CORE, 0)
except ImportError:
    pass
if hasattr(os, "unshare"):
    try:
        os.unshare(os.CLONE_NEWUSER | os.CLONE_NEWNET)
    except OSError:
        pass
source = open("answer.py", encoding="utf-8").read()
checks = open("checks.py", encoding="utf-8").read()
token = sys.stdin.readline().strip()
sys.stdin.close()
def guard(here, prefix, abspath, isdir, write_flags):
    closed = ("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.kill",
              "ctypes.", "shutil.", "os.chown", "os.chmod", "os.link", "os.symlink", "os.putenv", "pty.", "webbrowser.",
              "ftplib.", "urllib.", "http.", "smtplib.", "sys.addaudithook", "gc.get_objects",
              "os.truncate", "os.utime", "os.setxattr", "os.removexattr", "os.lchmod", "os.chflags",
              "os.mkfifo", "os.mknod")
    def hook(event, args):
        if event.startswith(closed):
            raise PermissionError("not allowed here: " + event)
        if event in ("open", "os.listdir", "os.scandir", "os.remove", "os.rename", "os.mkdir", "os.rmdir"):
            for path in args[:1]:
                if isinstance(path, (str, bytes)):
                    full = abspath(path if isinstance(path, str) else path.decode(errors="replace"))
                    writes = event not in ("open", "os.listdir", "os.scandir") or (
                        event == "open" and isinstance(args[1], str) and any(c in args[1] for c in "wax+"))
                    if event == "open" and not isinstance(args[1], str):  # os.open
                        # A directory's number would let later calls name files relative to it, unseen by this hook.
                        writes = writes or bool((args[2] or 0) & write_flags) or isdir(full)
                    if not (full + "/").startswith(here + "/") and (writes or not full.startswith(prefix)):
                        raise PermissionError("not allowed here: " + event + " " + full)
    return hook
prefixes = {{os.path.realpath(p) for p in (sys.base_prefix, os.path.dirname(os.__file__))}}
if getattr(sys, "frozen", False):
    prefixes.add(os.path.dirname(os.path.realpath(sys.executable)))
prefixes = tuple(prefixes)
report = os.dup(1)
write = os.write
flags = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
sys.addaudithook(guard(os.getcwd(), prefixes, os.path.abspath, os.path.isdir, flags))
scope = {{"__name__": "answer"}}
exec(compile(source, "answer.py", "exec"), scope)
exec(compile(checks, "checks.py", "exec"), scope)
write(report, ("\\n" + token + "\\n").encode())
"""


class PythonCode:
    """`expected` is Python code with assertions, run after the answer's code in the same scope.

    Options: `timeout_s` (default 5), `memory_mb` (default 512).
    """

    name = "python_code"
    title = "The answer's Python code passes the checks (run in a limited process, not in a virtual machine)"

    def grade(self, answer: str, expected: Any, options: dict[str, Any]) -> Grade:
        if not isinstance(expected, str) or not expected.strip():
            raise BadInput("The grader 'python_code' needs checks: Python code with assertions.")
        timeout_s, memory_mb = float(options.get("timeout_s", 5)), int(options.get("memory_mb", 512))
        with tempfile.TemporaryDirectory(prefix="workbench-code-") as folder:
            Path(folder, "answer.py").write_text(extract_code(answer), encoding="utf-8")
            Path(folder, "checks.py").write_text(expected, encoding="utf-8")
            guard = GUARD.format(cpu_s=int(timeout_s) + 1, memory_bytes=memory_mb * 2**20)
            return _run(guard, Path(folder), timeout_s)


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
    if process.returncode == 0 and text.rstrip().endswith(token):
        return Grade(1.0)
    lines = [line for line in text.replace(token, "").strip().splitlines() if line.strip()]
    return Grade(0.0, lines[-1][:300] if lines else f"ended with code {process.returncode}")


def _python(code: str) -> list[str]:
    """A command that runs the code. An installed program is its own Python and has no such options."""
    if getattr(sys, "frozen", False):
        return [sys.executable, "--python-code", code]
    return [sys.executable, "-I", "-S", "-B", "-X", "utf8", "-c", code]


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()
