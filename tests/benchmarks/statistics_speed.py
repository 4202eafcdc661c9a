"""Statistics of 5 models x 1,000 cases (goal: under 2 s), imports of scipy included.

python -m tests.benchmarks.statistics_speed [--json OUT]
"""

from __future__ import annotations

import argparse
import json
import random
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    start = time.perf_counter()
    from workbench.evaluation.analysis import analyse
    from workbench.evaluation.answers import Answer, GradeRecord
    from workbench.evaluation.votes import Vote, bradley_terry

    generator = random.Random(1)
    answers = [
        Answer(
            contestant=f"model {model}",
            prompt="prompt",
            case_id=str(case),
            duration_s=generator.random(),
            grades=(GradeRecord(grader="exact", score=float(generator.random() < 0.8)),),
        )
        for model in range(5)
        for case in range(1_000)
    ]
    analyse(answers, "model 0", 0.05)
    analysed = time.perf_counter()
    names = [f"model {n}" for n in range(5)]
    votes = [Vote(n, *generator.sample(names, 2), generator.choice((0.0, 0.5, 1.0))) for n in range(1_000)]
    bradley_terry(votes)
    voted = time.perf_counter()
    result = {"analysis_s": round(analysed - start, 3), "bradley_terry_s": round(voted - analysed, 3)}
    for name, seconds in result.items():
        print(f"{name:<20}{seconds:>8.3f} s")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
