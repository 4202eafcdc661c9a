"""The shipped graders, loaded from the plugins folder as the program does."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import pytest

from plugins.graders.code_guard import GUARD, READY, guard_source
from workbench.core.errors import BadInput
from workbench.core.paths import bundled

FOLDER = bundled("plugins") / "graders"


@pytest.fixture(scope="module")
def graders() -> dict:
    name = "graders_under_test"
    spec = importlib.util.spec_from_file_location(
        name, FOLDER / "__init__.py", submodule_search_locations=[str(FOLDER)]
    )
    module: ModuleType = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return {grader.name: grader for grader in module.workbench_graders()}


@pytest.mark.parametrize(
    ("grader", "answer", "expected", "options", "score"),
    [
        ("exact", " Paris \n", "Paris", {}, 1),
        ("exact", "paris", "Paris", {}, 0),
        ("normalised", "  PÂRIS! ", "paris", {}, 1),
        ("normalised", "Paris, France", "paris", {}, 0),
        ("contains", "It is Paris, of course", ["paris", "course"], {}, 1),
        ("contains", "It is Paris", ["paris", "rome"], {}, 0),
        ("contains", "It is Paris", ["paris", "rome"], {"mode": "any"}, 1),
        ("contains", "It is Paris", "paris", {"case_sensitive": True}, 0),
        ("regex", "order 4711 shipped", r"\d{4}", {}, 1),
        ("regex", "order 4711 shipped", r"\d{4}", {"full": True}, 0),
        ("regex", "ORDER", "order", {"flags": "i"}, 1),
        ("numeric", "12 apples and 3 pears make 15.", 15, {}, 1),
        ("numeric", "12 apples and 3 pears make 15.", 12, {"which": "first"}, 1),
        ("numeric", "about 1,234,567.5 in all", 1234567.5, {}, 1),
        ("numeric", "−4.2 degrees", -4.2, {}, 1),
        ("numeric", "99", 100, {"relative": 0.02}, 1),
        ("numeric", "98", 100, {"absolute": 1}, 0),
        ("numeric", "no idea", 1, {}, 0),
        ("json_schema", '```json\n{"a": 1}\n```', {"type": "object", "required": ["a"]}, {}, 1),
        ("json_schema", '{"a": "x"}', {"properties": {"a": {"type": "number"}}}, {}, 0),
        ("json_schema", "sure! {", {"type": "object"}, {}, 0),
        ("json_fields", '{"a": 1, "b": "X."}', {"a": 1.0, "b": "x"}, {"normalise": True}, 1),
        ("json_fields", '{"a": 1, "b": 2}', {"a": 1, "b": 3}, {}, 0.5),
        ("json_fields", '{"a": 1, "b": 2}', {"a": 1, "b": 3}, {"strict": True}, 0),
        ("json_fields", '{"a": true}', {"a": 1}, {}, 0),
        ("json_fields", '{"a": [1, {"b": null}]}', '{"a": [1, {"b": null}]}', {}, 1),
        ("json_fields", "[1]", {"a": 1}, {}, 0),
    ],
)
def test_scores(graders: dict, grader: str, answer: str, expected: object, options: dict, score: float) -> None:
    assert graders[grader].grade(answer, expected, options).score == score


@pytest.mark.parametrize(
    ("grader", "expected", "options"),
    [
        ("contains", "x", {"mode": "some"}),
        ("regex", "(", {}),
        ("regex", "a", {"flags": "q"}),
        ("regex", r"(a|a)*$", {}),
        ("numeric", "many", {}),
        ("json_schema", {"type": "nonsense"}, {}),
        ("json_schema", "text", {}),
        ("json_fields", "{", {}),
        ("json_fields", {}, {}),
        ("python_code", "", {}),
        ("python_code", "assert (", {}),
    ],
)
def test_a_bad_case_is_an_error_and_not_a_wrong_answer(
    graders: dict, grader: str, expected: object, options: dict
) -> None:
    answer = "a" * 64 + "b" if expected == r"(a|a)*$" else "{}"
    with pytest.raises(BadInput):
        graders[grader].grade(answer, expected, options)


def run(graders: dict, code: str, checks: str = "pass") -> float:
    return graders["python_code"].grade(code, checks, {"timeout_s": 10}).score


def test_right_and_wrong_code(graders: dict) -> None:
    assert run(graders, "Here:\n```python\ndef double(x):\n    return 2 * x\n```\nDone.", "assert double(4) == 8") == 1
    assert run(graders, "def double(x): return x", "assert double(4) == 8") == 0
    everyday = "import json, re, math, collections, itertools, functools, random, datetime, dataclasses, typing"
    assert run(graders, everyday, "assert json.loads('[1]') == [1]") == 1


@pytest.mark.parametrize(
    "code",
    [
        "import socket; socket.create_connection(('127.0.0.1', 9))",
        "import subprocess; subprocess.run(['true'])",
        "import os; os.system('true')",
        "import os; os.fork()",
        "open('/etc/hostname').read()",
        "open('../outside', 'w')",
        "import os; os.open(os.path.dirname(os.__file__) + '/written', os.O_CREAT | os.O_WRONLY)",
        "import os; os.open('written', os.O_CREAT, dir_fd=os.open(os.path.dirname(os.__file__), os.O_RDONLY))",
        "import os; os.utime(os.__file__)",
        "import ctypes; ctypes.CDLL(None)",
        "import os; open('a', 'w').close(); os.rename('a', '../outside')",
        "import os; os.makedirs('a/b'); os.chdir('a/b')",
        "import sqlite3; sqlite3.connect('../outside.db').execute('CREATE TABLE t (a)')",
        "import gc; gc.get_referrers(len)",
        "for n in range(200): open(f'f{n}', 'w').close()",
        "import builtins; builtins.isinstance = lambda *a: False; open('/etc/hostname').read()",
        "x = 'a' * 10**12",
        "import os; os._exit(0)",
        "raise SystemExit(0)",
        "print('checks-passed')\nraise SystemExit(0)",
    ],
)
def test_hostile_code_fails_and_harms_nothing(graders: dict, code: str) -> None:
    assert run(graders, code) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's walls are Linux's")
@pytest.mark.parametrize(
    "code",
    [
        "import posixpath; posixpath.normpath = lambda p: os.getcwd() + '/x'; open('/etc/hostname').read()",
        "import posixpath; posixpath.normpath = lambda p: os.getcwd() + '/x'; open('/tmp/outside', 'w')",
        "import _socket; socket = type('S', (_socket.socket,), {}); socket(2, 1).connect(('127.0.0.1', 9))",
        "import os; os.posix_spawn('/bin/true', ['/bin/true'], {})",
        "import os; os.execv('/bin/true', ['/bin/true'])",
        "import os; os.fork()",
        "import os; os.kill(os.getppid(), 0)",
    ],
)
def test_the_kernel_refuses_what_the_hook_can_be_kept_from_seeing(code: str) -> None:
    """The child's walls without the hook: everything that code could do that got rid of it."""
    assert GUARD.count("sys.addaudithook(") == 1
    bare = guard_source(5, 2**30).replace("sys.addaudithook(", "(lambda hook: None)(")
    assert _run(bare, "import os; print('begun')\n" + code) == "begun"


def _run(guard: str, code: str) -> str:
    """What the code printed before it was refused something; the success token is "done"."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "answer.py").write_text(code)
        Path(folder, "checks.py").write_text("")
        command = [sys.executable, "-I", "-S", "-B", "-c", guard]
        run = subprocess.run(command, cwd=folder, input="done", capture_output=True, text=True, env={}, check=False)
        assert "PermissionError" in run.stderr, run.stdout + run.stderr
        return run.stdout.removeprefix(READY).strip()


def test_code_may_have_threads_and_the_libraries_of_python(graders: dict) -> None:
    code = "import threading, hashlib, lzma, ssl\nt = threading.Thread(target=print, args=(1,)); t.start(); t.join()"
    assert run(graders, code, "assert not t.is_alive() and hashlib.sha256(b'').hexdigest()[0] == 'e'") == 1


def test_code_gets_no_environment(graders: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    assert run(graders, "import os", "assert 'OPENAI_API_KEY' not in os.environ") == 1


def test_right_code_may_print(graders: dict) -> None:
    printing = "import atexit\nprint('hello')\natexit.register(print, 'bye')"
    assert run(graders, printing) == 1
    grade = graders["python_code"].grade("print('hello')", "assert False, 'not so'", {})
    assert (grade.score, grade.reason) == (0, "AssertionError: not so")


def test_a_process_that_can_not_start_is_no_wrong_answer(graders: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with pytest.raises(BadInput, match="could not start"):
        run(graders, "pass")


def test_endless_code_is_stopped(graders: dict) -> None:
    grade = graders["python_code"].grade("while True: pass", "pass", {"timeout_s": 0.5})
    assert grade.score == 0
    assert "stopped after 0.5 s" in grade.reason


def test_every_grader_explains_itself(graders: dict) -> None:
    assert all(grader.title for grader in graders.values())
    assert json.dumps(sorted(graders))
