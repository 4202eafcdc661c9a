"""Speed of our engine, to the run's buffer, against `llama_cpp.Llama` and llama.cpp's own server, as ratios of one run.

    python -m tests.benchmarks.engine_speed --json OUT [--rounds N] [--tokens N] [--threads N]

Contestants take turns within each round, so that a busy machine slows all of them; each ratio is the median of the
rounds' ratios. The server comes with the benchmark extra (`xllamacpp`) and is left out where it is missing.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.engine.child.driver import starter_model
from workbench.core.cancel import CancelToken
from workbench.core.events import StreamEvent, TextDelta
from workbench.core.messages import Message
from workbench.core.requests import ChatRequest, LoadOptions, Sampling
from workbench.engine.local_model import LocalModel
from workbench.services.runner import Run, Runner

N_CTX = 8192
PROMPT = "Write a long story about a lighthouse keeper and the sea."
LONG_PROMPT = "The history of tea is long and full of journeys. " * 100
NO_END = {"0": -100.0, "2": -100.0}
"""Bans SmolLM2's end tokens, so that all contestants generate the same number of tokens."""


class Watched:
    """A model that notes when each piece of text reached the run's thread."""

    def __init__(self, model: LocalModel) -> None:
        self._model = model
        self.info = model.info
        self.times: list[list[float]] = []

    def stream(self, request: ChatRequest, cancel: CancelToken) -> Iterator[StreamEvent]:
        times: list[float] = []
        self.times.append(times)
        for event in self._model.stream(request, cancel):
            yield event  # the runner has put it into the run's buffer when it asks for the next
            if isinstance(event, TextDelta):
                times.append(time.perf_counter())


class Engine:
    """Ours, through the whole path: child process, client, runner and the run's buffer."""

    def __init__(self, threads: int, folder: Path) -> None:
        load = LoadOptions(n_ctx=N_CTX, n_threads=threads, n_threads_batch=threads)
        self._local = LocalModel("starter", starter_model(), load, log_dir=folder)
        self._model = Watched(self._local)
        self._runner = Runner(None)
        self._n = 0

    def decode(self, streams: int, tokens: int) -> float:
        """Tokens per second, all streams together, from the first token of the last to the end of the first."""
        self._n += 1
        self._model.times.clear()
        self._ask([(f"{self._n}.{i} {PROMPT}", i) for i in range(streams)], tokens)
        return _common_speed(self._model.times)

    def variants(self, tokens: int) -> float:
        """Seconds for four variants of one long prompt."""
        self._n += 1
        began = time.perf_counter()
        self._ask([(f"{self._n} {LONG_PROMPT}", i) for i in range(4)], tokens)
        return time.perf_counter() - began

    def second_turn(self) -> tuple[int, int]:
        """Tokens evaluated in the second turn, and how many of them are new."""
        sampling = Sampling(temperature=0.0, max_tokens=300)
        first = self._run((Message.of("user", PROMPT),), sampling).record
        messages = (Message.of("user", PROMPT), Message.of("assistant", first.text), Message.of("user", "Go on."))
        second = self._run(messages, Sampling(temperature=0.0, max_tokens=2)).record
        held = (first.prompt_tokens or 0) + (first.completion_tokens or 0) - (first.finish_reason == "length")
        return second.evaluated_tokens or 0, (second.prompt_tokens or 0) - held

    def close(self) -> None:
        self._runner.close()
        self._local.close()

    def _ask(self, prompts: list[tuple[str, int]], tokens: int) -> None:
        runs = []
        for text, seed in prompts:
            sampling = Sampling(seed=seed, temperature=0.8, max_tokens=tokens, logit_bias=NO_END)
            request = ChatRequest(messages=(Message.of("user", text),), sampling=sampling)
            runs.append(self._runner.start(self._model, request, session_id=None))
        for run in runs:
            run.wait()
            if run.record.error is not None:
                raise SystemExit(str(run.record.error))

    def _run(self, messages: tuple[Message, ...], sampling: Sampling) -> Run:
        run = self._runner.start(self._model, ChatRequest(messages=messages, sampling=sampling), session_id=None)
        run.wait()
        return run


class HighLevel:
    """llama_cpp.Llama."""

    def __init__(self, threads: int) -> None:
        import llama_cpp

        self.llama = llama_cpp.Llama(
            str(starter_model()),
            n_ctx=N_CTX,
            n_threads=threads,
            n_threads_batch=threads,
            flash_attn=True,
            verbose=False,
        )
        self._n = 0

    def decode(self, tokens: int) -> float:
        self._n += 1
        times = []
        for piece in self._stream(f"{self._n} {PROMPT}", tokens):
            if _has_text(piece):
                times.append(time.perf_counter())
        return _common_speed([times])

    def variants(self, tokens: int) -> float:
        self._n += 1
        began = time.perf_counter()
        for _ in range(4):
            self.llama.reset()
            for _piece in self._stream(f"{self._n} {LONG_PROMPT}", tokens):
                pass
        return time.perf_counter() - began

    def _stream(self, prompt: str, tokens: int) -> Any:
        return self.llama.create_chat_completion(
            [{"role": "user", "content": prompt}],
            stream=True,
            max_tokens=tokens,
            seed=1,
            temperature=0.8,
            logit_bias={0: -100.0, 2: -100.0},
        )


class Server:
    """llama.cpp's own server, in this process."""

    def __init__(self, threads: int, slots: int) -> None:
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path = str(starter_model())
        params.n_ctx = N_CTX
        params.n_parallel = slots
        params.cpuparams.n_threads = threads
        params.cpuparams_batch.n_threads = threads
        params.warmup = False
        params.verbosity = -1
        self.server = xllamacpp.Server(params)
        self._n = 0

    def decode(self, streams: int, tokens: int) -> float:
        self._n += 1
        with concurrent.futures.ThreadPoolExecutor(streams) as pool:
            return _common_speed(list(pool.map(lambda i: self._times(i, tokens), range(streams))))

    def _times(self, index: int, tokens: int) -> list[float]:
        times: list[float] = []
        body = {
            "messages": [{"role": "user", "content": f"{self._n}.{index} {PROMPT}"}],
            "stream": True,
            "max_tokens": tokens,
            "seed": index,
            "temperature": 0.8,
            "logit_bias": [[0, -100.0], [2, -100.0]],
        }

        def note(piece: str) -> bool:
            now = time.perf_counter()
            if _has_text(json.loads(piece)):
                times.append(now)
            return False

        self.server.handle_chat_completions(json.dumps(body), note)
        return times


def _has_text(chunk: Any) -> bool:
    """Whether it brings a token: OpenAI's form has one more chunk before the first and one after the last."""
    return bool(chunk["choices"]) and bool(chunk["choices"][0]["delta"].get("content"))


def _common_speed(streams: list[list[float]]) -> float:
    """Tokens per second of all streams while all of them were generating."""
    start = max(times[0] for times in streams)
    end = min(times[-1] for times in streams)
    count = sum(sum(start < moment <= end for moment in times) for times in streams)
    return count / (end - start)


def _ratios(pairs: list[tuple[float, float]]) -> float:
    return statistics.median(ours / theirs for ours, theirs in pairs)


def measure(rounds: int, tokens: int, threads: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        engine, high = Engine(threads, Path(folder)), HighLevel(threads)
        result: dict[str, Any] = {"threads": threads, "rounds": rounds, "tokens": tokens}
        engine.decode(1, 8), high.decode(8)  # page the weights in
        result["one_stream_vs_llama"] = _ratios(
            [(engine.decode(1, tokens), high.decode(tokens)) for _ in range(rounds)]
        )
        # Seconds: the other way round, so that more is better everywhere.
        times = [(engine.variants(16), high.variants(16)) for _ in range(max(rounds // 2, 1))]
        result["four_variants_speedup"] = statistics.median(theirs / ours for ours, theirs in times)
        result["second_turn_evaluated"], result["second_turn_new"] = engine.second_turn()
        _against_server(result, engine, rounds, tokens, threads)
        engine.close()
    return result


def _against_server(result: dict[str, Any], engine: Engine, rounds: int, tokens: int, threads: int) -> None:
    for streams in (1, 4, 8):
        try:
            server: Server | None = Server(threads, streams)
        except ImportError:
            print("xllamacpp is not installed; the server is left out", file=sys.stderr)
            return
        assert server is not None
        server.decode(streams, 4)
        pairs = [(engine.decode(streams, tokens), server.decode(streams, tokens)) for _ in range(rounds)]
        result[f"{streams}_streams_vs_server"] = _ratios(pairs)
        server = None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=96)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    result = measure(options.rounds, options.tokens, options.threads)
    width = max(map(len, result))
    for name, value in result.items():
        print(f"{name:{width}}  {value:.3f}" if isinstance(value, float) else f"{name:{width}}  {value}")
    if options.json:
        options.json.write_text(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
