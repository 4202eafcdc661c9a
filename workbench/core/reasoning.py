"""Tells a model's reasoning from its answer, while both stream in as one text: from llama.cpp, or from a local server
that does not split them itself (`ReasoningSplitter("")`).

Reasoning stands before the answer, between tags that differ by model family. A tag counts only where reasoning can
begin: at the start of the answer, or right after other reasoning. The same characters later on, as in a code block
that explains such tags, are text. Reasoning that is never closed (the tokens ran out) stays reasoning.

White space around the tags is layout, not content: it is dropped after an opening tag, before a closing tag and
between the reasoning and the answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from workbench.core.events import ReasoningDelta, TextDelta
from workbench.core.messages import Message

Piece = TextDelta | ReasoningDelta

TAGS = {
    "<think>": "</think>",  # DeepSeek, Qwen, most others
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "<reasoning>": "</reasoning>",
    "<seed:think>": "</seed:think>",
    "[THINK]": "[/THINK]",  # Mistral
    "<|channel>thought": "<channel|>",  # Gemma
    "<|START_THINKING|>": "<|END_THINKING|>",  # Cohere
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "◁think▷": "◁/think▷",  # Kimi
}
CHANNEL, MESSAGE, START = "<|channel|>", "<|message|>", "<|start|>"  # harmony, the format of gpt-oss
HARMONY_ENDS = ("<|end|>", "<|return|>", START, CHANNEL)
LONGEST_HEADER = 200
"""Characters between a harmony channel's tag and its message; a longer one is no header."""


class ReasoningSplitter:
    """Incremental; the pieces joined do not depend on where the text was cut. Linear time."""

    def __init__(self, rendered_prompt_tail: str, *, continued: Message | None = None) -> None:
        """`rendered_prompt_tail`: at least the last 100 characters of the prompt, whose template may have opened the
        reasoning already. `continued`: the assistant's unfinished message, where the model goes on with one."""
        self._buffer = ""
        self._space: list[str] = []
        self._out: list[Piece] = []
        self._closers: tuple[str, ...] = ()
        self._opener = ""
        self._state: Callable[[], bool] = self._at_start
        self._keep_space = True
        """Whether white space before the first text belongs to the answer: not after reasoning."""
        self._begin(rendered_prompt_tail.rstrip(), continued)

    @property
    def closer(self) -> str:
        """The tag that would end the reasoning that is going on; empty outside of it and in harmony, which has none."""
        within = self._state in (self._in_reasoning, self._at_reasoning_start)
        return self._closers[0] if within and len(self._closers) == 1 else ""

    def feed(self, text: str) -> list[Piece]:
        self._buffer += text
        while self._buffer and self._state():
            pass
        return self._take()

    def finish(self) -> list[Piece]:
        """What was held back because it might have become a tag or was white space before one."""
        rest, self._buffer = "".join(self._space) + self._buffer, ""
        self._space.clear()
        if self._state in (self._in_reasoning, self._at_reasoning_start, self._in_harmony_reasoning):
            self._emit(ReasoningDelta, rest)
        elif self._state != self._in_harmony_header:
            self._emit(TextDelta, rest)
        return self._take()

    def _begin(self, tail: str, continued: Message | None) -> None:
        if continued is not None:
            self._begin_continued(tail, continued)
            return
        for opener, closer in TAGS.items():
            if tail.endswith(opener):
                self._opener, self._closers = opener, (closer,)
                self._state = self._at_reasoning_start
        if tail.endswith(CHANNEL):
            self._state = self._in_harmony_header
        elif match := re.search(r"<\|channel\|>([^<]{1,100})<\|message\|>$", tail):
            self._enter_channel(match[1])

    def _begin_continued(self, tail: str, continued: Message) -> None:
        """The model goes on inside the answer, or, while there is none yet, inside the reasoning."""
        if continued.text:
            self._state = self._in_text
            return
        opened = max(((tail.rfind(opener), opener) for opener in TAGS), default=(-1, ""))
        if continued.reasoning and CHANNEL in tail:
            self._state = self._in_harmony_reasoning
        elif continued.reasoning:  # its opening tag may be further back than the tail reaches
            self._closers = (TAGS[opened[1]],) if opened[0] >= 0 else tuple(TAGS.values())
            self._state = self._in_reasoning

    # Each state reads what it can from the buffer; True: another state may go on with the rest.
    def _at_start(self) -> bool:
        """Where reasoning can begin. White space is kept for the case that it belongs to the answer."""
        text = self._buffer.lstrip()
        if self._keep_space:
            self._space.append(self._buffer[: len(self._buffer) - len(text)])
        self._buffer = text
        if not text:
            return False
        for opener, closer in TAGS.items():
            if text.startswith(opener):
                self._buffer = text[len(opener) :]
                self._space.clear()
                self._opener, self._closers = "", (closer,)
                self._state = self._at_reasoning_start
                return True
        if text.startswith(CHANNEL):
            self._buffer = text[len(CHANNEL) :]
            self._space.clear()
            self._state = self._in_harmony_header
            return True
        if any(tag.startswith(text) for tag in (*TAGS, CHANNEL)):
            return False
        self._state = self._in_text
        return True

    def _at_reasoning_start(self) -> bool:
        """Drops white space, and a tag that the model repeats after the template has opened it."""
        self._buffer = self._buffer.lstrip()
        if not self._buffer:
            return False
        if self._opener:
            if self._buffer.startswith(self._opener):
                self._buffer = self._buffer[len(self._opener) :]
                self._opener = ""
                return True
            if self._opener.startswith(self._buffer):
                return False
        self._state = self._in_reasoning
        return True

    def _in_reasoning(self) -> bool:
        return self._reason_until(self._closers, self._after_reasoning)

    def _in_harmony_reasoning(self) -> bool:
        return self._reason_until(HARMONY_ENDS, self._between_messages)

    def _reason_until(self, ends: tuple[str, ...], then: Callable[[str], None]) -> bool:
        found = min(((at, end) for end in ends if (at := self._buffer.find(end)) >= 0), default=None)
        if found is None:
            certain = len(self._buffer) - _possible_start(self._buffer, ends)
            self._reason(self._buffer[:certain])
            self._buffer = self._buffer[certain:]
            return False
        position, end = found
        self._reason(self._buffer[:position])
        self._buffer = self._buffer[position + len(end) :]
        self._space.clear()
        self._keep_space = False
        then(end)
        return True

    def _reason(self, text: str) -> None:
        body = text.rstrip()
        if body:
            self._emit(ReasoningDelta, "".join(self._space) + body)
            self._space.clear()
        if len(body) < len(text):
            self._space.append(text[len(body) :])

    def _after_reasoning(self, _end: str) -> None:
        self._state = self._at_start

    def _between_messages(self, end: str) -> None:
        self._state = self._in_harmony_header if end == CHANNEL else self._at_harmony_start

    def _at_harmony_start(self) -> bool:
        """`<|start|>assistant` before the next channel; anything else is the answer."""
        text = self._buffer.lstrip()
        match = re.match(r"(?:<\|start\|>)?(?:assistant)?\s*<\|channel\|>", text)
        if match:
            self._buffer = text[match.end() :]
            self._state = self._in_harmony_header
            return True
        if not text or _is_prefix_of_start(text):
            self._buffer = text
            return False
        self._state = self._at_start
        return True

    def _in_harmony_header(self) -> bool:
        longest = LONGEST_HEADER + len(MESSAGE)
        position = self._buffer.find(MESSAGE, 0, longest)
        if position < 0:
            if len(self._buffer) < longest:
                return False
            self._buffer = CHANNEL + self._buffer
            self._state = self._in_text
            return True
        header, self._buffer = self._buffer[:position], self._buffer[position + len(MESSAGE) :]
        self._enter_channel(header)
        return True

    def _enter_channel(self, header: str) -> None:
        name = header.split()[0] if header.split() else ""
        if name == "analysis":
            self._state = self._in_harmony_reasoning
        elif name == "commentary" and " to=" not in header:
            self._state = self._in_harmony_preamble
        else:
            if " to=" in header:  # a tool call: shown as the model wrote it
                self._emit(TextDelta, f"{CHANNEL}{header}{MESSAGE}")
            self._state = self._in_text

    def _in_harmony_preamble(self) -> bool:
        """What the model tells the user before it goes on: text, but other messages follow it."""
        found = min(((at, end) for end in HARMONY_ENDS if (at := self._buffer.find(end)) >= 0), default=None)
        if found is None:
            certain = len(self._buffer) - _possible_start(self._buffer, HARMONY_ENDS)
            self._emit(TextDelta, self._buffer[:certain])
            self._buffer = self._buffer[certain:]
            return False
        position, end = found
        self._emit(TextDelta, self._buffer[:position])
        self._buffer = self._buffer[position + len(end) :]
        self._between_messages(end)
        return True

    def _in_text(self) -> bool:
        self._emit(TextDelta, "".join(self._space) + self._buffer)
        self._space.clear()
        self._buffer = ""
        return False

    def _emit(self, kind: type[TextDelta] | type[ReasoningDelta], text: str) -> None:
        if text:
            self._out.append(kind(text))

    def _take(self) -> list[Piece]:
        out, self._out = self._out, []
        return out


def _possible_start(text: str, tags: tuple[str, ...]) -> int:
    """Length of the longest end of `text` that one of the tags begins with."""
    longest = min(len(text), max(map(len, tags)) - 1)
    return next((n for n in range(longest, 0, -1) if any(tag.startswith(text[-n:]) for tag in tags)), 0)


def _is_prefix_of_start(text: str) -> bool:
    forms = (f"{START}assistant{CHANNEL}", f"assistant{CHANNEL}", CHANNEL)
    return any(form.startswith("".join(text.split())) for form in forms)
