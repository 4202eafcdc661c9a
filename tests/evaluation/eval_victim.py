"""An evaluation that tests kill: its model appends a line for each request and for each complete answer.

python -m tests.evaluation.eval_victim HOME RESUME_ID_OR_DASH CASES [judged]

With "judged" a paid judge grades the answers.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from workbench.core.cancel import CancelToken
from workbench.core.events import Finished, StreamEvent, TextDelta, Usage
from workbench.core.models import ModelInfo
from workbench.core.requests import ChatRequest
from workbench.evaluation.grading import Grading
from workbench.evaluation.model_graders import model_graders
from workbench.evaluation.running import Evaluation
from workbench.evaluation.spec import parse_spec
from workbench.hookspecs import Grade
from workbench.services.runner import Runner
from workbench.store import Store


def in_one_line(prompt: str) -> str:
    return prompt.replace("\n", " ")


class CountingModel:
    """A paid service that remembers every request in a file."""

    def __init__(self, name: str, pieces: tuple[str, ...], log: Path) -> None:
        self.info = ModelInfo(id=name, name=name, provider="paid", remote=True)
        self.pieces = pieces
        self.log = os.open(log, os.O_APPEND | os.O_CREAT | os.O_WRONLY)

    def stream(self, request: ChatRequest, cancel: CancelToken) -> Iterator[StreamEvent]:
        case = in_one_line(request.messages[-1].text)
        os.write(self.log, f"asked {case}\n".encode())
        for piece in self.pieces:
            if cancel.wait(0.004):
                yield Finished(reason="cancelled")
                return
            yield TextDelta(piece)
        yield Usage(prompt_tokens=3, completion_tokens=2)
        yield Finished(reason="stop")


class Exact:
    name = "exact"
    title = "exact"

    def grade(self, answer: str, expected: object, options: dict) -> Grade:
        return Grade(float(answer == expected))


class Shelf:
    def __init__(self, log: Path) -> None:
        pieces = {"paid:model": ("par", "is"), "paid:judge": ('{"reason": "right", ', '"score": 10}')}
        self.known = {name: CountingModel(name, said, log) for name, said in pieces.items()}

    def get(self, model_id: str) -> CountingModel:
        return self.known[model_id]

    def models(self) -> list[ModelInfo]:
        return [model.info for model in self.known.values()]


def spec_of(cases: int, *, judged: bool):
    document = {
        "name": "victim",
        "models": ["paid:model"],
        "rule": "not_worse_than_rate",
        "prompts": ["{{ q }}"],
        "graders": [{"grader": "judge", "options": {"model": "paid:judge"}}] if judged else ["exact"],
        "reuse_answers": False,
        "cases": [{"id": str(n), "q": f"q{n}", "expected": "paris"} for n in range(cases)],
    }
    return parse_spec(document, Path("victim.yaml"))


def main() -> None:
    home, resume, cases = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    spec, shelf = spec_of(cases, judged=len(sys.argv) > 4), Shelf(home / "requests.log")
    store = Store.open(home / "workbench.db")
    runner = Runner(store)
    evaluation = Evaluation(
        spec, store, runner, shelf, Grading(spec.graders, [Exact(), *model_graders(shelf)]), folder=home
    )
    print("ready", flush=True)
    row = evaluation.run(None if resume == "-" else resume)
    runner.close()
    store.close()
    print(row.status, len(evaluation.answers), sum(answer.score or 0 for answer in evaluation.answers), flush=True)
    time.sleep(0)


if __name__ == "__main__":
    main()
