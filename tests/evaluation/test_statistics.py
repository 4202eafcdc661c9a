"""Intervals and verdicts against published values, exact enumeration and simulation."""

from __future__ import annotations

import math
import random

import pytest

from workbench.evaluation.intervals import (
    bonett_price,
    holm,
    mcnemar_p,
    mean_difference,
    mean_score,
    tango,
    wilson,
)
from workbench.evaluation.judge_model import both_orders, cohen_kappa, prediction_powered_mean
from workbench.evaluation.verdict import (
    Outcome,
    PairedScores,
    cases_needed,
    judge,
    judge_together,
    margin_shown_by,
    sentence,
)
from workbench.evaluation.votes import Vote, bradley_terry, sign_test


def exact_coverage(method, n: int, p10: float, p01: float) -> float:
    """Probability that the 95 % interval holds the true difference, summed over every possible table."""
    truth, covered = p10 - p01, 0.0
    for b in range(n + 1):
        for c in range(n + 1 - b):
            rest = n - b - c
            log_p = math.lgamma(n + 1) - math.lgamma(b + 1) - math.lgamma(c + 1) - math.lgamma(rest + 1)
            log_p += b * math.log(p10) + c * math.log(p01) + rest * math.log(1 - p10 - p01)
            if log_p < -25:
                continue
            interval = method(b, c, n)
            if interval.low <= truth <= interval.high:
                covered += math.exp(log_p)
    return covered


@pytest.mark.parametrize(
    ("method", "n", "expected"),
    [(tango, 20, 0.985), (tango, 50, 0.956), (bonett_price, 20, 0.997), (bonett_price, 50, 0.975)],
)
def test_coverage_of_paired_intervals_is_the_known_one(method, n: int, expected: float) -> None:
    assert exact_coverage(method, n, 0.10, 0.05) == pytest.approx(expected, abs=0.006)


def test_tango_is_antisymmetric_and_holds_the_estimate() -> None:
    one, other = tango(12, 2, 50), tango(2, 12, 50)
    assert one.low == pytest.approx(-other.high, abs=1e-9)
    assert one.low < one.estimate < one.high
    assert one.estimate == pytest.approx(0.2)


def test_tango_limits_satisfy_the_score_equation() -> None:
    """At each limit the constrained score statistic equals the normal quantile: recomputed by maximising the
    multinomial likelihood numerically instead of by the closed form."""
    from scipy.optimize import minimize_scalar

    b, c, n = 7, 3, 40
    for limit in (tango(b, c, n).low, tango(b, c, n).high):

        def negative(p01: float, delta: float = limit) -> float:
            p10, rest = p01 + delta, 1 - 2 * p01 - delta
            return -(b * math.log(p10) + c * math.log(p01) + (n - b - c) * math.log(rest))

        bounds = (max(0.0, -limit) + 1e-9, (1 - limit) / 2 - 1e-9)
        p01 = minimize_scalar(negative, bounds=bounds, method="bounded", options={"xatol": 1e-12}).x
        z = (b - c - n * limit) / math.sqrt(n * (2 * p01 + limit * (1 - limit)))
        assert abs(z) == pytest.approx(1.959964, abs=1e-3)


def test_tango_with_no_discordant_pair_still_has_width() -> None:
    interval = tango(0, 0, 30)
    assert interval.low < 0 < interval.high
    assert interval.high == pytest.approx(1.959964**2 / (30 + 1.959964**2), abs=1e-6)


def test_all_one_way_reaches_the_border() -> None:
    assert tango(10, 0, 10).high == 1.0
    assert tango(0, 10, 10).low == -1.0


def test_wilson_matches_the_published_example() -> None:
    """Newcombe 1998, Statistics in Medicine 17:857: 81 of 263 gives 0.2553 to 0.3662."""
    interval = wilson(81, 263)
    assert (round(interval.low, 4), round(interval.high, 4)) == (0.2553, 0.3662)


def test_mcnemar_is_the_binomial_sign_test() -> None:
    assert mcnemar_p(1, 9) == pytest.approx(2 * (1 + 10) / 2**10)
    assert mcnemar_p(0, 0) == 1.0


def test_holm_is_monotone_and_bounded() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_many_varied_scores_give_the_t_interval() -> None:
    generator = random.Random(3)
    differences = [generator.gauss(0.02, 0.2) for _ in range(400)]
    mean = math.fsum(differences) / 400
    half = 1.96596 * math.sqrt(math.fsum((d - mean) ** 2 for d in differences) / 399 / 400)  # t with 399 degrees
    interval = mean_difference(differences)
    assert interval.low == pytest.approx(mean - half, abs=2e-3)
    assert interval.high == pytest.approx(mean + half, abs=2e-3)


def test_copies_of_a_case_in_one_cluster_add_no_evidence() -> None:
    differences = [0.1, -0.2, 0.4, 0.0, 0.3, -0.1]
    repeated = [d for d in differences for _ in range(5)]
    clusters = [i for i in range(6) for _ in range(5)]
    plain = mean_difference(differences)
    assert mean_difference(repeated, clusters).half_width == pytest.approx(plain.half_width)
    assert mean_difference(repeated).half_width < plain.half_width / 2


def test_no_difference_in_few_cases_is_no_proof() -> None:
    """Repeats or clusters without any difference still leave the doubt of their number."""
    assert mean_difference([0.0] * 20, range(20)).low < -0.05
    assert mean_difference([0.0] * 400, [i // 20 for i in range(400)]).low < -0.05
    assert mean_difference([0.0] * 400).low > -0.05
    assert mean_score([1.0] * 10, [i // 5 for i in range(10)]).low < 0.7
    assert mean_difference([0.5]).low == -1


def test_a_weight_counts_like_so_many_cases_for_the_mean_only() -> None:
    values, weights = [1.0, 0.0, 0.0, -1.0, 0.5, 0.0], [3.0, 1, 1, 1, 1, 1]
    weighted = mean_difference(values, None, weights)
    assert weighted.estimate == pytest.approx((3 - 1 + 0.5) / 8)
    assert weighted.half_width > mean_difference([1.0, 1.0, *values], None).half_width * 0.99


def test_planned_cases_are_those_of_the_method() -> None:
    assert cases_needed(0.05, 0.15, power=0.8, alpha=0.05) == 371
    assert cases_needed(0.10, 0.15, power=0.8, alpha=0.05) == 93
    assert (cases_needed(0.05), cases_needed(0.10)) == (471, 118)  # what the shown 95 % interval asks for
    assert [cases_needed(margin_shown_by(n)) for n in (10, 93, 471)] == [10, 93, 471]
    with pytest.raises(ValueError, match="margin"):
        cases_needed(0.05, difference=-0.05)


def scores(both: int, only_candidate: int, only_baseline: int, neither: int = 0) -> list[PairedScores]:
    table = [(1, 1)] * both + [(1, 0)] * only_candidate + [(0, 1)] * only_baseline + [(0, 0)] * neither
    return [PairedScores(str(i), a, b) for i, (a, b) in enumerate(table)]


def test_three_outcomes() -> None:
    assert judge(scores(380, 10, 10)).outcome is Outcome.REPLACEABLE
    assert judge(scores(100, 2, 60)).outcome is Outcome.NOT_REPLACEABLE
    open_question = judge(scores(30, 2, 3))
    assert open_question.outcome is Outcome.NOT_ENOUGH_EVIDENCE
    assert open_question.more_cases is not None
    assert "more cases would settle it" in sentence(open_question, "Qwen", "GPT")


def test_more_cases_would_settle_what_was_seen() -> None:
    small = judge(scores(44, 3, 3), margin=0.05)
    assert small.more_cases is not None
    factor = (small.n + small.more_cases) / small.n
    bigger = judge(scores(math.ceil(44 * factor), math.ceil(3 * factor), math.ceil(3 * factor)), margin=0.05)
    assert bigger.outcome is Outcome.REPLACEABLE


def test_sentences_never_contradict_the_interval() -> None:
    verdict = judge(scores(380, 10, 10))
    assert "can replace" in sentence(verdict, "A", "B")
    assert "scored the same" in sentence(verdict, "A", "B")


@pytest.mark.parametrize("bad", [0.0, 1.0, -0.1])
def test_margins_outside_the_scale_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="margin"):
        judge(scores(1, 0, 0), margin=bad)


@pytest.mark.parametrize(("n", "p10", "p01"), [(100, 0.05, 0.10), (200, 0.06, 0.11), (371, 0.05, 0.10)])
def test_simulated_evaluations_cover_and_rarely_err_at_the_margin(n: int, p10: float, p01: float) -> None:
    """2,000 evaluations with a true difference exactly on the margin: at least 93 % of the intervals hold it, and
    at most 5 % of the verdicts say "replaceable"."""
    generator = random.Random(n)
    covered = false_replaceable = 0
    cache: dict[tuple[int, int], tuple[bool, bool]] = {}
    for _ in range(2_000):
        draws = [generator.random() for _ in range(n)]
        table = (sum(x < p10 for x in draws), sum(p10 <= x < p10 + p01 for x in draws))
        if table not in cache:
            verdict = judge(scores(n - sum(table), *table), margin=0.05)
            holds = verdict.difference.low <= p10 - p01 <= verdict.difference.high
            cache[table] = (holds, verdict.outcome is Outcome.REPLACEABLE)
        covered += cache[table][0]
        false_replaceable += cache[table][1]
    assert covered >= 0.93 * 2_000
    assert false_replaceable <= 0.05 * 2_000


def test_several_candidates_are_judged_together() -> None:
    """Holm: the clearest is judged strictest, and the picture shows the level it was judged at."""
    clear, close, open_question = scores(470, 4, 4), scores(380, 5, 12), scores(30, 2, 3)
    verdicts = judge_together([close, clear, open_question], margin=0.05)
    levels = [round(v.difference.confidence, 4) for v in verdicts]
    assert levels[1] == 0.9833
    assert all(v.outcome is _read(v) for v in verdicts)
    assert judge_together([clear], margin=0.05)[0].difference.confidence == 0.95
    assert (levels[0], levels[2]) == (0.975, 0.95)
    harder = judge_together([scores(180, 9, 15), clear, open_question], margin=0.05)
    assert [round(v.difference.confidence, 4) for v in harder] == [0.975, 0.9833, 0.975]  # where it stopped


def _read(verdict) -> Outcome:
    """The outcome as the interval alone tells it."""
    if verdict.difference.low > -verdict.margin:
        return Outcome.REPLACEABLE
    return Outcome.NOT_REPLACEABLE if verdict.difference.high < -verdict.margin else Outcome.NOT_ENOUGH_EVIDENCE


def test_ten_candidates_at_the_margin_rarely_pass_by_chance() -> None:
    """Any false “replaceable” among ten candidates that are worse by exactly the margin: at most 5 % of evaluations."""
    generator = random.Random(4)
    wrong = 0
    for _ in range(120):
        families = []
        for _candidate in range(10):
            draws = [generator.random() for _ in range(200)]
            table = (sum(x < 0.04 for x in draws), sum(0.04 <= x < 0.13 for x in draws))
            families.append(scores(200 - sum(table), *table))
        wrong += any(v.outcome is Outcome.REPLACEABLE for v in judge_together(families, 0.05))
    assert wrong <= 0.05 * 120


def test_sign_test_leaves_ties_out() -> None:
    preference = sign_test(9, 1, ties=30)
    assert preference.share.estimate == pytest.approx(0.9)
    assert preference.p_value == pytest.approx(mcnemar_p(9, 1))


def test_bradley_terry_recovers_the_order_and_survives_complete_separation() -> None:
    truth = {"a": 1.0, "b": 0.0, "c": -1.0}
    generator = random.Random(5)
    votes = []
    for prompt in range(300):
        first, second = generator.sample(sorted(truth), 2)
        p = 1 / (1 + math.exp(truth[second] - truth[first]))
        votes.append(Vote(prompt, first, second, float(generator.random() < p)))
    result = bradley_terry(votes)
    assert [s.model for s in result] == ["a", "b", "c"]
    for strength in result:
        assert strength.strength.low < truth[strength.model] < strength.strength.high
    separated = bradley_terry([Vote(i, "x", "y", 1.0) for i in range(5)], resamples=20)
    assert separated[0].model == "x"
    assert math.isfinite(separated[0].strength.estimate)
    assert bradley_terry([]) == []


def test_ties_are_half_a_win() -> None:
    result = bradley_terry([Vote(i, "x", "y", 0.5) for i in range(10)], resamples=10)
    assert [s.strength.estimate for s in result] == pytest.approx([0, 0])


def test_judge_orders_that_disagree_are_a_tie() -> None:
    assert both_orders(1.0, 0.0) == 1.0
    assert both_orders(1.0, 1.0) == 0.5
    assert both_orders(0.0, 1.0) == 0.0


def test_kappa_is_zero_for_chance_and_one_for_agreement() -> None:
    assert cohen_kappa("aabb", "aabb") == 1.0
    assert cohen_kappa("aabb", "abab") == 0.0
    assert math.isnan(cohen_kappa("", ""))


def test_prediction_powered_mean_corrects_a_biased_judge() -> None:
    generator = random.Random(11)
    human = [float(generator.random() < 0.6) for _ in range(2_000)]
    judged = [min(1.0, h + 0.3 * (generator.random() < 0.5)) for h in human]  # lenient
    interval = prediction_powered_mean(judged, judged[:200], human[:200])
    assert interval.low < 0.6 < interval.high
    assert sum(judged) / len(judged) > 0.62


def test_kappa_of_one_label_only_is_not_defined() -> None:
    assert math.isnan(cohen_kappa("aaaa", "aaaa"))


def test_few_votes_without_an_error_do_not_prove_a_judge() -> None:
    judged = [1.0] * 400
    few = prediction_powered_mean(judged, judged[:5], [1.0] * 5)
    many = prediction_powered_mean(judged, judged[:100], [1.0] * 100)
    assert few.half_width > 0.3
    assert 0.01 < many.half_width < 0.05


def test_no_p_value_where_cases_are_not_independent() -> None:
    def scores(**fields) -> list[PairedScores]:
        return [PairedScores(str(i), float(i > 9), 1.0, **fields) for i in range(40)]

    assert judge(scores()).p_value == pytest.approx(2 * 0.5**10)
    assert judge(scores(cluster="one document")).p_value is None
    weighted = [PairedScores(str(i), float(i > 9), 1.0, weight=1.0 + i) for i in range(40)]
    assert judge(weighted).p_value is None
