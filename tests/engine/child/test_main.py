"""The child as a process: handshake, commands and their failures, its end."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine.child.driver import Child, chat, embed, starter_model
from workbench.core.events import Finished, TextDelta
from workbench.core.requests import LoadOptions
from workbench.engine import protocol
from workbench.engine.protocol import Count, Failed, Generate, LoadedModel, Status


def test_hello_tells_version_build_and_devices(child: Child) -> None:
    hello = child.hello
    assert hello.version == protocol.PROTOCOL_VERSION
    assert hello.pid == child.process.pid
    assert "llama-cpp-python" in hello.llama_cpp_build
    cpu = next(device for device in hello.backends if device["type"] == "cpu")
    assert cpu["name"] and cpu["memory_total"] > 0


def test_ends_when_stdin_closes(child: Child) -> None:
    assert child.close() == 0


def test_ends_mid_answer_when_stdin_closes(with_tiny: Callable[..., Child]) -> None:
    child = with_tiny("llama")
    child.start(chat("the cat", temperature=0.0, logit_bias={"2": -100.0, "4": -100.0}))
    while not (isinstance(reply := child.receive(), protocol.Event) and isinstance(reply.event, TextDelta)):
        pass
    assert child.close() == 0


def test_a_command_that_is_not_understood_is_answered_if_it_has_a_number(with_tiny: Callable[..., Child]) -> None:
    """Whoever sent it would wait for ever otherwise."""
    child = with_tiny("llama")
    request = chat("the cat", logit_bias={"2": float("-inf")})  # JSON has no infinity: it comes as null
    child.send(Generate(id=77, request=request))
    reply = child.receive()
    assert isinstance(reply, Failed) and reply.id == 77
    assert reply.error.kind == "bad_input" and "null" in reply.error.detail
    assert child.generate(chat("the cat", max_tokens=1))[0].finished.reason in ("length", "stop")


@pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")
def test_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    """Even in the middle of a long prompt, and though nobody closes anything."""
    script = f"""
import sys
from pathlib import Path
from tests.engine.child.driver import Child, chat, starter_model
child = Child(Path({str(tmp_path / "log")!r}))
child.load(starter_model())
child.start(chat("word " * 6000))
while type(child.receive().event).__name__ != "PromptProgress": pass
print(child.process.pid, flush=True)
sys.stdin.read()
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]
    )
    assert parent.stdin is not None and parent.stdout is not None
    pid = int(parent.stdout.readline())
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait(10)
    assert parent.stdout.read() == b""
    parent.stdin.close()
    parent.stdout.close()
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] == "Z":
            return
        os.sched_yield() if not hasattr(signal, "sigtimedwait") else signal.sigtimedwait([], 0.05)
    pytest.fail("the child outlived its parent")


def test_survives_lines_it_does_not_understand(child: Child) -> None:
    for line in (b"nonsense", b'{"op":"dance","id":1}', b'{"op":"load"}', b"\xff\xfe", b"[]", b"9" * 100_000):
        child.send_line(line)
    assert isinstance(child.receive(), Failed), "the only line with a number"
    assert isinstance(child.ask(lambda i: Status(id=i)), protocol.StatusReport)


def test_ignores_a_cancel_of_nothing(child: Child) -> None:
    child.send(protocol.Cancel(id=12345))
    assert isinstance(child.ask(lambda i: Status(id=i)), protocol.StatusReport)


def test_commands_that_need_a_model_fail_without_one(child: Child) -> None:
    failed = child.ask(lambda i: Count(id=i, request=chat("hi")))
    assert isinstance(failed, Failed) and failed.error.kind == "bad_input"
    failed = child.ask(embed(["hi"]))
    assert isinstance(failed, Failed) and failed.error.kind == "bad_input"
    event = child.ask(lambda i: Generate(id=i, request=chat("hi")))
    assert isinstance(event, protocol.Event) and isinstance(event.event, Finished)
    assert event.event.reason == "failed" and event.event.error is not None


def test_load_reports_progress_and_what_was_loaded(child: Child) -> None:
    child.send(protocol.Load(id=7, path=str(starter_model()), options=LoadOptions()))
    fractions = []
    while isinstance(reply := child.receive(), protocol.Progress):
        assert reply.id == 7
        fractions.append(reply.fraction)
    assert isinstance(reply, protocol.Loaded)
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    model = reply.model
    assert (model.architecture, model.quantization) == ("llama", "Q4_1")
    assert model.n_ctx_train == 8192 and 2048 <= model.n_ctx <= 8192
    assert model.has_chat_template and not model.is_embedding_model and not model.is_recurrent
    assert model.n_parallel == 8 and model.n_threads >= 1 and model.memory_bytes > 0


def test_a_load_can_be_cancelled_and_tried_again(child: Child) -> None:
    load = protocol.Load(id=7, path=str(starter_model()), options=LoadOptions())
    child.send_line(protocol.encode(load) + b"\n" + protocol.encode(protocol.Cancel(id=7)))
    while isinstance(reply := child.receive(), protocol.Progress):
        pass
    assert isinstance(reply, Failed) and reply.error.kind == "cancelled"
    assert isinstance(child.load(starter_model()), LoadedModel)


def test_a_second_load_is_refused(with_tiny: Callable[..., Child], tiny: dict[str, Path]) -> None:
    child = with_tiny("llama")
    failed = child.load(tiny["llama"])
    assert isinstance(failed, Failed) and failed.error.kind == "bad_input"
    assert child.generate(chat("the cat", max_tokens=2))[0].finished.reason in ("stop", "length")


@pytest.mark.parametrize(
    ("damage", "kind", "words"),
    [
        ("missing", "bad_model_file", "does not exist"),
        ("folder", "bad_model_file", "is a folder"),
        ("empty", "bad_model_file", "is empty"),
        ("text", "bad_model_file", "is not a GGUF file"),
        ("header cut", "bad_model_file", "damaged or incomplete"),
        ("tensors cut", "bad_model_file", "damaged or incomplete"),
        ("architecture", "bad_model_file", "unknown architecture “llamx”"),
        ("key", "bad_model_file", "lacks the entry “llama.block_count”"),
    ],
)
def test_a_file_that_cannot_be_loaded_says_why(
    child: Child, tiny: dict[str, Path], tmp_path: Path, damage: str, kind: str, words: str
) -> None:
    path = tmp_path / "model.gguf"
    data = tiny["llama"].read_bytes()
    name = b"general.architecture\x08\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00llama"
    contents = {
        "empty": b"",
        "text": b"I am a text.\n" * 100,
        "header cut": data[:700],
        "tensors cut": data[:-1000],
        "architecture": data.replace(name, name[:-1] + b"x"),
        "key": data.replace(b"llama.block_count", b"llama.block_couns"),
    }
    if damage == "folder":
        path.mkdir()
    elif damage != "missing":
        path.write_bytes(contents[damage])
    failed = child.load(path)
    assert isinstance(failed, Failed)
    assert failed.error.kind == kind
    assert words in failed.error.message
    assert "model.gguf" in failed.error.message
    assert isinstance(child.load(tiny["llama"]), LoadedModel), "the child must go on"


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"n_ctx": 10**9}, "out_of_memory", "GiB"),
        ({"cache_type_k": "q9"}, "bad_input", "cache_type_k"),
        ({"cache_type_v": "q8_0", "flash_attn": "off"}, "bad_input", "flash attention"),
        ({"n_parallel": 0}, "bad_input", "n_parallel"),
        ({"n_parallel": 100_000}, "bad_input", "n_parallel"),
        ({"n_threads": -3}, "bad_input", "n_threads"),
        ({"lora_path": "/does/not/exist"}, "bad_model_file", "does not exist"),
    ],
)
def test_options_that_cannot_work_say_why(child: Child, options: dict[str, object], kind: str, words: str) -> None:
    failed = child.load(starter_model(), **options)
    assert isinstance(failed, Failed)
    assert failed.error.kind == kind
    assert words in failed.error.message


def test_options_are_followed(child: Child, tiny: dict[str, Path]) -> None:
    model = child.load(
        tiny["llama"], n_ctx=256, n_threads=1, n_parallel=3, flash_attn="on", cache_type_k="q8_0", cache_type_v="q8_0"
    )
    assert isinstance(model, LoadedModel)
    assert (model.n_ctx, model.n_threads, model.n_parallel) == (256, 1, 3)
    assert (model.flash_attn, model.cache_type_k, model.cache_type_v) == ("on", "q8_0", "q8_0")
    details = child.generate(chat("the cat", max_tokens=1))[0].details
    assert (details.n_ctx, details.n_threads, details.cache_type_k) == (256, 1, "q8_0")


def test_a_lora_adapter_changes_the_answer_by_its_scale(with_tiny: Callable[..., Child], tiny: dict[str, Path]) -> None:
    request = chat("the cat", temperature=0.0, max_tokens=40)
    plain = with_tiny("llama").generate(request)[0]
    off = with_tiny("llama", lora_path=str(tiny["lora"]), lora_scale=0.0).generate(request)[0]
    on = with_tiny("llama", lora_path=str(tiny["lora"])).generate(request)[0]
    assert off.text == plain.text != on.text
    assert (plain.details.adapter_scale, off.details.adapter_scale, on.details.adapter_scale) == (None, 0.0, 1.0)


def test_a_model_is_no_adapter(child: Child, tiny: dict[str, Path]) -> None:
    failed = child.load(tiny["llama"], lora_path=str(tiny["qwen2"]))
    assert isinstance(failed, Failed)
    assert "is no LoRA adapter" in failed.error.message


def test_a_file_may_vanish_after_loading(child: Child, tiny: dict[str, Path], tmp_path: Path) -> None:
    copy = tmp_path / "copy.gguf"
    shutil.copy(tiny["llama"], copy)
    assert isinstance(child.load(copy), LoadedModel)
    copy.unlink()
    assert child.generate(chat("the cat", max_tokens=3))[0].finished.reason == "length"


def test_count_renders_and_counts_without_evaluating(starter: Child) -> None:
    counted = starter.ask(lambda i: Count(id=i, request=chat("Hello there")))
    assert isinstance(counted, protocol.Counted)
    assert "Hello there" in counted.rendered_prompt and counted.n_ctx == 2048
    answer = starter.generate(chat("Hello there", max_tokens=1))[0]
    assert answer.usage.prompt_tokens == counted.prompt_tokens
    assert answer.details.rendered_prompt == counted.rendered_prompt
