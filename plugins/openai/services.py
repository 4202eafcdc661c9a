"""The services that speak OpenAI's protocol, and in what each of them differs. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CHAT_SAMPLING = {
    "temperature": "temperature",
    "top_p": "top_p",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "seed": "seed",
    "stop": "stop",
    "logit_bias": "logit_bias",
}
_LOGPROBS = {"logprobs": "top_logprobs"}
_NEW_LIMIT = {"max_tokens": "max_completion_tokens"}
_OLD_LIMIT = {"max_tokens": "max_tokens"}
_LLAMA_CPP = {
    name: name
    for name in (
        "top_k",
        "min_p",
        "typical_p",
        "xtc_probability",
        "xtc_threshold",
        "dry_multiplier",
        "dry_base",
        "dry_allowed_length",
        "dry_penalty_last_n",
        "dry_sequence_breakers",
        "repeat_penalty",
        "repeat_last_n",
        "mirostat",
        "mirostat_tau",
        "mirostat_eta",
    )
}


def _only(*names: str) -> dict[str, str]:
    return {name: CHAT_SAMPLING[name] for name in names}


ReasoningStyle = Literal["none", "effort", "openrouter", "deepseek", "template"]
"""`effort`: reasoning_effort; `openrouter`: a `reasoning` object; `deepseek`: a `thinking` object; `template`:
variables of the chat template."""

Continuation = Literal["none", "plain", "prefix", "vllm"]
"""How an unfinished answer is continued: not at all, by simply standing last, with `prefix: true`, or vLLM's flags."""


@dataclass(frozen=True, slots=True)
class ServiceKind:
    """One kind of service. Also the id under which it is configured."""

    kind: str
    title: str
    base_url: str
    key_variable: str = ""
    url_variable: str = ""
    sampling: tuple[tuple[str, str], ...] = ()
    reasoning: ReasoningStyle = "none"
    continuation: Continuation = "none"
    json_schema: bool = True
    grammar: bool = False
    template_variables: bool = False
    stream_usage: bool = True
    """Whether `stream_options.include_usage` is known."""
    tagged_reasoning: bool = True
    """Models behind this service may write their reasoning into the text, between tags like <think>."""
    default_path: str = ""
    """Appended to a base URL that has no path."""

    @property
    def key_required(self) -> bool:
        return bool(self.key_variable)


def _kind(*, sampling: dict[str, str], **fields: object) -> ServiceKind:
    return ServiceKind(sampling=tuple(sampling.items()), **fields)  # type: ignore[arg-type]


KINDS = (
    _kind(
        kind="openai",
        title="OpenAI",
        base_url="https://api.openai.com/v1",
        key_variable="OPENAI_API_KEY",
        url_variable="OPENAI_BASE_URL",
        sampling=CHAT_SAMPLING | _LOGPROBS | _NEW_LIMIT,
        reasoning="effort",
        tagged_reasoning=False,
    ),
    _kind(
        kind="azure",
        title="Azure OpenAI",
        base_url="",
        key_variable="AZURE_OPENAI_API_KEY",
        url_variable="AZURE_OPENAI_ENDPOINT",
        sampling=CHAT_SAMPLING | _LOGPROBS | _NEW_LIMIT,
        reasoning="effort",
        tagged_reasoning=False,
        default_path="/openai/v1",
    ),
    _kind(
        kind="openrouter",
        title="OpenRouter",
        base_url="https://openrouter.ai/api/v1",
        key_variable="OPENROUTER_API_KEY",
        sampling=CHAT_SAMPLING
        | _LOGPROBS
        | _OLD_LIMIT
        | {"top_k": "top_k", "min_p": "min_p", "repeat_penalty": "repetition_penalty"},
        reasoning="openrouter",
        continuation="plain",
    ),
    _kind(
        kind="groq",
        title="Groq",
        base_url="https://api.groq.com/openai/v1",
        key_variable="GROQ_API_KEY",
        sampling=_only("temperature", "top_p", "seed", "stop") | _NEW_LIMIT,
        reasoning="effort",
    ),
    _kind(
        kind="together",
        title="Together AI",
        base_url="https://api.together.xyz/v1",
        key_variable="TOGETHER_API_KEY",
        sampling=CHAT_SAMPLING
        | _OLD_LIMIT
        | {"top_k": "top_k", "min_p": "min_p", "repeat_penalty": "repetition_penalty"},
        reasoning="effort",
    ),
    _kind(
        kind="mistral",
        title="Mistral",
        base_url="https://api.mistral.ai/v1",
        key_variable="MISTRAL_API_KEY",
        sampling=_only("temperature", "top_p", "frequency_penalty", "presence_penalty", "stop")
        | _OLD_LIMIT
        | {"seed": "random_seed"},
        continuation="prefix",
        stream_usage=False,
    ),
    _kind(
        kind="deepseek",
        title="DeepSeek",
        base_url="https://api.deepseek.com/v1",
        key_variable="DEEPSEEK_API_KEY",
        sampling=_only("temperature", "top_p", "frequency_penalty", "presence_penalty", "stop")
        | _LOGPROBS
        | _OLD_LIMIT,
        reasoning="deepseek",
        json_schema=False,
    ),
    _kind(
        kind="xai",
        title="xAI",
        base_url="https://api.x.ai/v1",
        key_variable="XAI_API_KEY",
        sampling=_only("temperature", "top_p", "frequency_penalty", "presence_penalty", "seed", "stop")
        | _LOGPROBS
        | _NEW_LIMIT,
        reasoning="effort",
    ),
    _kind(
        kind="llama-server",
        title="llama-server",
        base_url="http://127.0.0.1:8080/v1",
        sampling=CHAT_SAMPLING | _LOGPROBS | _OLD_LIMIT | _LLAMA_CPP,
        reasoning="template",
        continuation="plain",
        grammar=True,
        template_variables=True,
        default_path="/v1",
    ),
    _kind(
        kind="ollama",
        title="Ollama",
        base_url="http://127.0.0.1:11434/v1",
        url_variable="OLLAMA_HOST",
        sampling=_only("temperature", "top_p", "frequency_penalty", "presence_penalty", "seed", "stop") | _OLD_LIMIT,
        reasoning="effort",
        default_path="/v1",
    ),
    _kind(
        kind="lmstudio",
        title="LM Studio",
        base_url="http://127.0.0.1:1234/v1",
        sampling=CHAT_SAMPLING | _OLD_LIMIT | {"top_k": "top_k", "repeat_penalty": "repeat_penalty"},
        default_path="/v1",
    ),
    _kind(
        kind="vllm",
        title="vLLM",
        base_url="http://127.0.0.1:8000/v1",
        sampling=CHAT_SAMPLING
        | _LOGPROBS
        | _OLD_LIMIT
        | {"top_k": "top_k", "min_p": "min_p", "repeat_penalty": "repetition_penalty"},
        reasoning="template",
        continuation="vllm",
        template_variables=True,
        default_path="/v1",
    ),
    _kind(
        kind="openai-compatible",
        title="OpenAI-compatible service",
        base_url="",
        sampling=CHAT_SAMPLING | _OLD_LIMIT,
        reasoning="effort",
    ),
)
