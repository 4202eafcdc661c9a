"""Were the answers of a comparison given under the same conditions? One small rule for each way they may not be.

A difference the user chose (another temperature in another column) is told as such; one that happened (a prompt cut
to fit, an ignored parameter) is a warning. No Qt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import msgspec

from workbench.core.runs import RunRecord


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One answer, as the check needs it."""

    title: str
    run: RunRecord
    attachments: int = 0
    """Attachments that were in its prompt."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    rule: str
    severity: Literal["warning", "note"]
    message: str


Rule = Callable[[Sequence[Side]], Iterator[Difference]]


def check_conditions(sides: Sequence[Side]) -> list[Difference]:
    """Everything in which the answers differ besides the model; warnings first. Nothing for fewer than two."""
    if len(sides) < 2:
        return []
    found = [difference for rule in RULES for difference in rule(sides)]
    return sorted(found, key=lambda difference: difference.severity != "warning")


def truncation(sides: Sequence[Side]) -> Iterator[Difference]:
    """Oldest turns were left out for some."""
    for side in sides:
        if side.run.dropped_messages:
            yield _warning(
                "truncation",
                f"{side.title} did not see the whole conversation: {side.run.dropped_messages} messages were left out "
                "so that the prompt fits.",
            )


def cut_answers(sides: Sequence[Side]) -> Iterator[Difference]:
    """Some answers ended at a token limit, others by themselves."""
    cut = [side for side in sides if side.run.finish_reason == "length"]
    if cut and len(cut) < len(sides):
        yield _warning("cut_answers", f"{_names(cut)} ended at the token limit; the others finished by themselves.")


def token_limits(sides: Sequence[Side]) -> Iterator[Difference]:
    """Only where it could matter: an answer was at least half as long as the smallest limit. Some services want a limit
    with every request, so limits differ often."""
    limits = {side.title: side.run.sampling.get("max_tokens") for side in sides}
    known = [limit for limit in limits.values() if limit]
    if not known or len({side.run.sampling.get("max_tokens") for side in sides}) < 2:
        return
    longest = max(side.run.completion_tokens or 0 for side in sides)
    if longest * 2 >= min(known) or any(side.run.finish_reason == "length" for side in sides):
        listed = ", ".join(f"{title} {limit or 'none'}" for title, limit in limits.items())
        yield _warning("token_limits", f"The token limits for the answer differ and were nearly needed: {listed}.")


def context_limits(sides: Sequence[Side]) -> Iterator[Difference]:
    """Only where it could matter: the smallest context was at least half full."""
    known = [side for side in sides if side.run.n_ctx]
    limits = {side.run.n_ctx for side in known}
    if len(limits) < 2:
        return
    least = min(limit for limit in limits if limit)
    used = max((side.run.prompt_tokens or 0) + (side.run.completion_tokens or 0) for side in sides)
    if used * 2 >= least:
        listed = ", ".join(f"{side.title} {side.run.n_ctx}" for side in known)
        yield _warning("context_limits", f"The context limits differ and were nearly needed: {listed} tokens.")


def system_prompts(sides: Sequence[Side]) -> Iterator[Difference]:
    prompts = {side.run.system_prompt.strip() for side in sides}
    if len(prompts) > 1:
        without = [side for side in sides if not side.run.system_prompt.strip()]
        what = f"{_names(without)} had no system prompt" if without else "each has its own"
        yield _note("system_prompts", f"The system prompts differ: {what}.")


def conditions_of_runs(sides: Sequence[Side]) -> Iterator[Difference]:
    """What a model could not take: ignored parameters, a system role it does not know, parts left out."""
    for side in sides:
        for condition in side.run.conditions:
            yield _warning("not_as_asked", f"{side.title}: {condition}")


def attachments(sides: Sequence[Side]) -> Iterator[Difference]:
    if len({side.attachments for side in sides}) > 1:
        least = min(side.attachments for side in sides)
        fewer = [side for side in sides if side.attachments == least]
        yield _warning("attachments", f"{_names(fewer)} got fewer attachments than the others.")


def reasoning_budgets(sides: Sequence[Side]) -> Iterator[Difference]:
    yield from _unequal(
        sides, "reasoning", "reasoning settings", lambda run: _frozen(run.request.get("reasoning") or {}), chosen=True
    )
    thought = [side for side in sides if side.run.reasoning or side.run.reasoning_tokens]
    asked = {_frozen(side.run.request.get("reasoning") or {}) for side in sides}
    if thought and len(thought) < len(sides) and len(asked) == 1:
        yield _note("reasoning_used", f"Only {_names(thought)} reasoned before answering.")


def response_formats(sides: Sequence[Side]) -> Iterator[Difference]:
    yield from _unequal(
        sides,
        "response_format",
        "response formats",
        lambda run: _frozen(run.request.get("response_format") or {}),
        chosen=True,
    )


def tools(sides: Sequence[Side]) -> Iterator[Difference]:
    yield from _unequal(sides, "tools", "tools", lambda run: _frozen(run.request.get("tools") or []), chosen=True)


def sampling(sides: Sequence[Side]) -> Iterator[Difference]:
    """Sampling values that were set for one and otherwise for another."""
    names = sorted({name for side in sides for name in side.run.sampling} - {"seed", "max_tokens"})
    differing = []
    for name in names:
        values = [side.run.sampling[name] for side in sides if side.run.sampling.get(name) is not None]
        if len({_frozen(value) for value in values}) > 1:
            differing.append(name)
    if differing:
        yield _note("sampling", f"Sampling differs in {', '.join(differing)}.")


def seeds(sides: Sequence[Side]) -> Iterator[Difference]:
    """Some answers can be had again with their seed, others can't."""
    without = [side for side in sides if side.run.seed is None]
    if without and len(without) < len(sides):
        yield _note("seeds", f"{_names(without)} can't be repeated exactly: no seed was used.")


def chat_templates(sides: Sequence[Side]) -> Iterator[Difference]:
    """The same file rendered by different templates."""
    by_file: dict[str, set[str]] = {}
    for side in sides:
        if side.run.gguf_sha256 and side.run.chat_template_sha256:
            by_file.setdefault(side.run.gguf_sha256, set()).add(side.run.chat_template_sha256)
    if any(len(templates) > 1 for templates in by_file.values()):
        yield _note("chat_templates", "The same model was asked through different chat templates.")


def model_versions(sides: Sequence[Side]) -> Iterator[Difference]:
    """One model id that a service resolved to two versions."""
    versions: dict[str, set[str]] = {}
    for side in sides:
        if side.run.model_version:
            versions.setdefault(side.run.model, set()).add(side.run.model_version)
    for model, found in versions.items():
        if len(found) > 1:
            yield _warning("model_versions", f"{model} answered in two versions: {', '.join(sorted(found))}.")


def failures(sides: Sequence[Side]) -> Iterator[Difference]:
    broken = [side for side in sides if side.run.status in ("failed", "cancelled", "interrupted")]
    if len(broken) == len(sides):
        return
    partial, silent = [s for s in broken if s.run.text], [s for s in broken if not s.run.text]
    if partial:
        yield _warning("failures", f"{_names(partial)} did not finish; what stands there is a part of an answer.")
    if silent:
        yield _warning("failures", f"{_names(silent)} did not answer.")


RULES: tuple[Rule, ...] = (
    failures,
    truncation,
    cut_answers,
    token_limits,
    context_limits,
    conditions_of_runs,
    attachments,
    model_versions,
    system_prompts,
    reasoning_budgets,
    response_formats,
    tools,
    sampling,
    seeds,
    chat_templates,
)


def _unequal(
    sides: Sequence[Side], rule: str, what: str, value: Callable[[RunRecord], Any], *, chosen: bool = False
) -> Iterator[Difference]:
    if len({value(side.run) for side in sides}) > 1:
        yield (_note if chosen else _warning)(rule, f"The {what} differ.")


def _names(sides: Sequence[Side]) -> str:
    titles = list(dict.fromkeys(side.title for side in sides))
    return titles[0] if len(titles) == 1 else f"{', '.join(titles[:-1])} and {titles[-1]}"


def _frozen(value: Any) -> bytes:
    return msgspec.json.encode(value, order="sorted")


def _warning(rule: str, message: str) -> Difference:
    return Difference(rule=rule, severity="warning", message=message)


def _note(rule: str, message: str) -> Difference:
    return Difference(rule=rule, severity="note", message=message)
