"""Work that several threads share, and which answers are compared with which."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from workbench.evaluation.answers import Answer


def in_threads(work: Callable[[], None], count: int) -> None:
    """Run `work` in `count` threads and wait. See `at_once`."""
    at_once([work] * count)


def at_once(works: Sequence[Callable[[], None]]) -> None:
    """Run each in a thread of its own and wait. What one of them raises is raised here: it is a bug of ours, or a
    database that can't be written."""
    problems: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            problems.append(error)

    workers = [threading.Thread(target=guarded, args=(work,), daemon=True) for work in works]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if problems:
        raise problems[0]


def pairs_of(answers: Sequence[Answer], baseline: str) -> list[tuple[int, Answer, Answer]]:
    """(place in `answers`, candidate's answer, baseline's answer) of everything two valid answers can be compared for.

    The baseline's under the same prompt, or recorded answers' only one; of the same repeat, or the first.
    """
    theirs = {answer.place: answer for answer in answers if answer.contestant == baseline}
    prompts = sorted({place[2] for place in theirs})

    def counterpart(answer: Answer) -> Answer | None:
        names = [answer.prompt] if answer.prompt in prompts else prompts[:1] if len(prompts) == 1 else []
        places = [(answer.case_id, baseline, name, n) for name in names for n in (answer.repeat, 0)]
        return next((theirs[place] for place in places if place in theirs), None)

    pairs = []
    for index, answer in enumerate(answers):
        other = counterpart(answer) if answer.contestant != baseline else None
        if other is not None and not answer.error and not other.error:
            pairs.append((index, answer, other))
    return pairs
