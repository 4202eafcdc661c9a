"""Exit status and log -> words."""

from __future__ import annotations

import signal

import pytest

from workbench.engine.failures import DETAIL_LINES, explain_exit


@pytest.mark.parametrize(
    ("exit_code", "log", "kind", "words"),
    [
        (-signal.SIGKILL, [], "engine_died", "ended by the system while it ran m.gguf, often because memory ran out"),
        (-signal.SIGILL, [], "engine_died", "instruction this processor does not have"),
        (-signal.SIGSEGV, [], "engine_died", "crashed"),
        (-signal.SIGBUS, [], "engine_died", "lost its model file"),
        (-signal.SIGTERM, ["out of memory"], "engine_died", "another program"),
        (-signal.SIGABRT, ["a", "ggml.c:12: GGML_ASSERT(a->ne[0] == b) failed"], "engine_died", "a->ne[0] == b"),
        (-signal.SIGABRT, ["terminate called after throwing 'std::bad_alloc'"], "out_of_memory", "Memory ran out"),
        (-signal.SIGABRT, ["ggml_cuda: out of memory", "GGML_ASSERT(0) failed"], "out_of_memory", "Memory ran out"),
        (-signal.SIGABRT, [], "engine_died", "gave up"),
        (1, ["ModuleNotFoundError: No module named 'llama_cpp'"], "engine_died", "No module named 'llama_cpp'"),
        (1, ["llama: unknown model architecture: 'martian'"], "bad_model_file", "architecture “martian”"),
        (7, ["first", "last words.", ""], "engine_died", "exit code 7): last words."),
        (0, [], "engine_died", "exit code 0)."),
        (0xC0000005, [], "engine_died", "memory access"),
        (0xC000001D, [], "engine_died", "instruction"),
        (-63, [], "engine_died", "63"),
        (None, [], "engine_died", "exit code None"),
    ],
)
def test_words(exit_code: int | None, log: list[str], kind: str, words: str) -> None:
    error = explain_exit("m.gguf", exit_code, log, loading=False)
    assert error.kind == kind
    assert words in error.message
    assert error.hint
    assert error.message.endswith(".")
    assert ".." not in error.message


def test_loading_is_told_apart() -> None:
    assert "while it loaded m.gguf" in explain_exit("m.gguf", -9, [], loading=True).message


def test_details_are_the_last_lines() -> None:
    log = [f"line {number}" for number in range(1_000)]
    detail = explain_exit("m", -9, log, loading=False).detail
    assert detail.splitlines() == ["exit: SIGKILL", *log[-DETAIL_LINES:]]
