"""From a chat request to the tokens of its prompt."""

from __future__ import annotations

import contextlib
import functools
from dataclasses import dataclass, replace

import msgspec

from workbench.core.errors import BadInput, ContextOverflow, TemplateError
from workbench.core.messages import AudioPart, ImagePart, Message
from workbench.core.requests import ChatRequest
from workbench.engine.chat_template import ChatTemplate, RenderedPrompt, template_for
from workbench.engine.child.loader import Model
from workbench.engine.generic_tools import explained

ANSWER_RESERVE = 256
"""Tokens kept free for the answer when the oldest turns are dropped, at most a quarter of the context."""


@dataclass(frozen=True, slots=True)
class Prompt:
    tokens: list[int]
    rendered: str
    template_sha256: str
    stop: tuple[str, ...] = ()
    """Stop strings the template itself needs."""
    explains_tools: bool = False
    """The template knows no tools, so the system prompt explains them (see `generic_tools`)."""
    dropped_messages: int = 0
    notices: tuple[str, ...] = ()


class PromptMaker:
    """Renders and tokenizes for one model. Thread-safe."""

    def __init__(self, model: Model) -> None:
        self._vocab = model.vocab
        self._n_ctx = model.info.n_ctx
        own = model.chat_template
        bos, eos = model.vocab.text(model.vocab.bos), model.vocab.text(model.vocab.eos)
        self._template = functools.lru_cache(maxsize=8)(lambda override: template_for(own, override, bos, eos))

    def count(self, request: ChatRequest) -> Prompt:
        """The whole prompt, whether it fits or not. Raises TemplateError."""
        return self._render(self._template(request.chat_template), request)

    def make(self, request: ChatRequest) -> Prompt:
        """The prompt as it will be evaluated. Raises TemplateError, ContextOverflow and BadInput."""
        template = self._template(request.chat_template)
        prompt = self._render(template, request)
        if not prompt.tokens:
            raise BadInput("The prompt is empty.", hint="Type something to ask.")
        # The token sampled last needs no cell, so a prompt may fill the context and still get one token of answer.
        if len(prompt.tokens) <= self._n_ctx:
            return prompt
        if request.overflow == "error":
            raise ContextOverflow(prompt_tokens=len(prompt.tokens), n_ctx=self._n_ctx)
        return self._make_fit(template, request, prompt)

    def _make_fit(self, template: ChatTemplate, request: ChatRequest, full: Prompt) -> Prompt:
        """Leave out as few of the oldest exchanges as need be. System messages and the last question stay."""
        cuts = _possible_cuts(request.messages)
        limit = self._n_ctx - min(request.sampling.max_tokens or ANSWER_RESERVE, ANSWER_RESERVE, self._n_ctx // 4)
        low, high, best = 0, len(cuts) - 1, None
        while low <= high:  # the fewer messages, the shorter the prompt: search by halves, rendering is slow
            middle = (low + high) // 2
            shorter = msgspec.structs.replace(request, messages=_without(request.messages, cuts[middle]))
            prompt = self._render(template, shorter)
            if len(prompt.tokens) <= limit:
                best, high = (cuts[middle], prompt), middle - 1
            else:
                low = middle + 1
        if best is None:
            raise ContextOverflow(prompt_tokens=len(full.tokens), n_ctx=self._n_ctx)
        dropped, prompt = len(request.messages) - len(_without(request.messages, best[0])), best[1]
        notice = (
            f"The prompt had {len(full.tokens)} tokens; the oldest {dropped} messages were left out "
            f"so that it fits into {self._n_ctx}."
        )
        return replace(prompt, dropped_messages=dropped, notices=(*prompt.notices, notice))

    def _render(self, template: ChatTemplate, request: ChatRequest) -> Prompt:
        rendered, explains_tools = _with_tools(template, request)
        tokens = self._vocab.tokenize_prompt(rendered.text)
        return Prompt(tokens, rendered.text, template.sha256, template.stop, explains_tools, notices=rendered.notices)


def _with_tools(template: ChatTemplate, request: ChatRequest) -> tuple[RenderedPrompt, bool]:
    """The prompt, and whether the tools had to be explained in it because the template leaves them out."""
    if not request.tools:
        return template.render_prompt(request), False
    with contextlib.suppress(TemplateError):  # if the tools are not the reason, it is raised again below
        rendered = template.render_prompt(request)
        if all(tool.name in rendered.text for tool in request.tools):
            return rendered, False
    return template.render_prompt(explained(request)), True


def ignored_attachments(messages: tuple[Message, ...]) -> int:
    """Images and recordings, which a text model gets nothing of."""
    return sum(isinstance(part, ImagePart | AudioPart) for message in messages for part in message.parts)


def _possible_cuts(messages: tuple[Message, ...]) -> list[int]:
    """Indexes of user messages the conversation could start with instead of its first one, in order."""
    users = [index for index, message in enumerate(messages) if message.role == "user"]
    return users[1:]


def _without(messages: tuple[Message, ...], start: int) -> tuple[Message, ...]:
    """The messages from `start`, and every system message before."""
    return tuple(message for index, message in enumerate(messages) if index >= start or message.role == "system")
