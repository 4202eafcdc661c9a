"""From a prompt's template and a case to the messages a model gets. One templating syntax: Jinja, sandboxed."""

from __future__ import annotations

import hashlib
from typing import Any

import jinja2
import msgspec

from workbench.core.errors import BadInput
from workbench.core.messages import Message, TextPart
from workbench.core.requests import ChatRequest
from workbench.engine.template_sandbox import TemplateEnvironment, TooLong, time_limit
from workbench.evaluation.cases import TestCase
from workbench.evaluation.spec import ModelSpec, PromptSpec

TIME_LIMIT_S = 2.0
MAX_CHARACTERS = 8_000_000


def render(template: str, variables: dict[str, Any]) -> str:
    """Raises BadInput for a template that is wrong, names an unknown variable, runs too long or writes too much."""
    if "{{" not in template and "{%" not in template and "{#" not in template:
        return template
    try:
        with time_limit(TIME_LIMIT_S):
            environment = TemplateEnvironment()
            environment.undefined = jinja2.StrictUndefined
            pieces, size = [], 0
            for piece in environment.from_string(template).generate(variables):
                size += len(piece)
                if size > MAX_CHARACTERS:
                    raise BadInput(f"The prompt's template writes more than {MAX_CHARACTERS:,} characters.")
                pieces.append(piece)
            return "".join(pieces)
    except jinja2.UndefinedError as error:
        known = ", ".join(sorted(variables)) or "none"
        raise BadInput(
            f"The prompt's template uses a variable that is not there: {error.message}.", hint=f"The case has: {known}."
        ) from None
    except jinja2.TemplateError as error:
        line = f" (line {error.lineno})" if isinstance(error, jinja2.TemplateSyntaxError) else ""
        message = (error.message or "").rstrip(".")
        raise BadInput(f"The prompt's template is wrong{line}: {message}.") from None
    except (ArithmeticError, TypeError, ValueError, LookupError, AttributeError, RecursionError, MemoryError) as error:
        raise BadInput(f"The prompt's template went wrong: {error or type(error).__name__}.") from None
    except TooLong:
        raise BadInput(f"The prompt's template ran longer than {TIME_LIMIT_S:g} s.") from None


def build_request(model: ModelSpec, prompt: PromptSpec, case: TestCase, *, seed: int | None) -> ChatRequest:
    """Messages in order: system, few-shot examples, the case's own messages, the rendered prompt.

    A system message of the case takes the place of the prompt's. Attachments of the case are a user message at its
    end, and become one with the prompt: many chat templates refuse two user messages in a row. `seed` is used where
    the model's sampling names none. Raises BadInput.
    """
    own = [message for message in case.messages if message.role != "system"]
    system = "\n\n".join(message.text for message in case.messages if message.role == "system")
    if model.system is not None or not system.strip():
        system = render(prompt.system if model.system is None else model.system, case.variables)
    messages = [Message.of("system", system)] if system.strip() else []
    examples = prompt.examples if model.examples is None else model.examples
    for example in examples:
        messages.append(Message.of("user", example.get("user", "")))
        messages.append(Message.of("assistant", example.get("assistant", "")))
    messages += own
    text = render(prompt.text, case.variables) if prompt.text else ""
    if text.strip():
        files = messages.pop().parts if own and own[-1].role == "user" else ()
        messages.append(Message("user", (*files, TextPart(text))))
    if not any(message.role == "user" for message in messages):
        raise BadInput(f"The prompt “{prompt.name}” gives case {case.id} no text to answer.")
    sampling = model.sampling
    if sampling.seed is None and seed is not None:
        sampling = msgspec.structs.replace(sampling, seed=seed)
    return ChatRequest(
        messages=tuple(messages),
        sampling=sampling,
        response_format=model.response_format,
        reasoning=model.reasoning,
        load=model.load,
    )


def request_sha256(model_id: str, identity: str, request: ChatRequest) -> str:
    """The same for identical requests to an identical model. `identity`: a local file's hash, or empty."""
    content = msgspec.json.encode([model_id, identity, msgspec.to_builtins(request)], order="sorted")
    return hashlib.sha256(content).hexdigest()
