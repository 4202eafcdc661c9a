"""The command line with the real engine and the real starter model, as other programs start it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from workbench.core.paths import Paths
from workbench.store import Store

Start = Callable[..., subprocess.Popen[str]]


def answer(process: Start, *arguments: str) -> dict[str, Any]:
    with process("run", "--json", "-m", "starter", *arguments) as running:
        out, err = running.communicate(timeout=200)
    assert running.returncode == 0, err
    assert err == ""
    result: dict[str, Any] = json.loads(out)
    return result


def test_an_answer_has_a_complete_record_and_can_be_had_again(process: Start) -> None:
    options = ("--seed", "7", "-o", "max_tokens=12", "-o", "n_ctx=512", "Say hello.")
    first, second = answer(process, *options), answer(process, "-m", "starter", *options)
    run = first["runs"][0]
    assert run["text"]
    assert run["finish_reason"] in ("stop", "length")
    assert 1 <= run["completion_tokens"] <= 12
    assert run["evaluated_tokens"] == run["prompt_tokens"] - run["cached_tokens"]
    assert run["sampling"]["max_tokens"] == 12
    assert run["seed"] == 7
    assert "Say hello." in run["rendered_prompt"]
    for name in ("gguf_sha256", "quantization", "llama_cpp_build", "chat_template_sha256", "n_ctx", "n_threads"):
        assert run[name], name
    for name in ("load_s", "time_to_first_token_s", "decode_tokens_per_s", "prefill_tokens_per_s", "duration_s"):
        assert run[name] > 0, name
    texts = [r["text"] for r in (run, *second["runs"])]
    assert len(texts) == 3
    assert len(set(texts)) == 1, "same seed, same request, same build: same tokens"


def test_a_schema_holds(process: Start) -> None:
    schema = (
        '{"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": false}'
    )
    (run,) = answer(process, "-o", f"json_schema={schema}", "-o", "max_tokens=60", "--seed", "1", "A number.")["runs"]
    if run["finish_reason"] == "stop":
        assert isinstance(json.loads(run["text"])["n"], int)
    assert run["text"].lstrip().startswith("{")


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_in_a_terminal_stops_the_engine_too_and_keeps_the_answer(process: Start) -> None:
    """A terminal sends the signal to the whole group: the engine's child gets it as well."""
    prompt = "Tell me a very long story about the sea."
    with process("run", "-m", "starter", "-o", "n_ctx=2048", prompt, start_new_session=True) as running:
        assert running.stdout is not None and running.stderr is not None
        beginning = running.stdout.read(20)
        children = psutil.Process(running.pid).children()
        os.killpg(running.pid, signal.SIGINT)
        rest, errors = running.communicate(timeout=60)
    assert children, "the engine runs in a process of its own"
    assert running.returncode == 130
    assert errors == "Stopped.\n"
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []
    with Store.open(Paths.of_user().database) as store:
        (record,) = store.runs()
    assert record.status == "cancelled"
    assert record.text.startswith(beginning)
    assert (beginning + rest).startswith(record.text.rstrip()[:20])


def test_doctor_finds_nothing_wrong(process: Start) -> None:
    with process("doctor", "--json") as running:
        out, err = running.communicate(timeout=200)
    report = json.loads(out)
    assert running.returncode == 0, report["problems"]
    assert err == ""
    assert report["engine"]["llama_cpp_build"]
    assert report["starter_model"].endswith(".gguf")
    assert report["packages"]["llama-cpp-python"]
    assert report["database"]["problems"] == []
    assert {plugin["error"] for plugin in report["plugins"]} == {""}
