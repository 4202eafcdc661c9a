"""OpenAI, and every service that speaks its protocol: cloud services with a key, local servers without one.

Each service is a kind of provider of its own, so that one's key is never sent to another. `openai-compatible` is for
any other address. Options of a configured provider: `api` (chat or responses), `read_timeout_s`, `max_retries`,
`max_concurrency`.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from workbench.core.cancel import CancelToken
from workbench.core.errors import BadInput
from workbench.core.models import ModelInfo, Prices
from workbench.core.settings import Provider
from workbench.hookspecs import ProviderContext, ProviderPlugin, hookimpl
from workbench.providers.errors import malformed
from workbench.providers.http import hostname_of
from workbench.providers.remote_model import RemoteModel, Service
from workbench.providers.vendor import remote_info

from .chat import ChatAdapter
from .responses import REASONING_MODELS, ResponsesAdapter
from .services import KINDS, ServiceKind

RESPONSES_HOST = "api.openai.com"
NOT_FOR_CHAT = re.compile(
    r"embed|whisper|transcri|tts|dall-e|image|moderation|realtime|sora|guard|rerank|davinci|babbage", re.IGNORECASE
)


class OpenAIProvider:
    """One kind of service."""

    def __init__(self, kind: ServiceKind) -> None:
        self._kind = kind
        self.kind = kind.kind
        self.title = kind.title
        self.key_variable = kind.key_variable
        has_place = bool(kind.base_url or kind.url_variable)
        self.presets = {kind.kind: Provider(kind=kind.kind, base_url=kind.base_url)} if has_place else {}

    def models(self, context: ProviderContext, cancel: CancelToken) -> list[ModelInfo]:
        service = self._service(context)
        service.check_configured()
        data = service.client.get_json(
            "/models", headers=service.headers(), cancel=cancel, key_variable=self.key_variable
        )
        entries = data.get("data") if isinstance(data, dict) else data  # Together AI sends the bare list
        if not isinstance(entries, list):
            raise malformed(self.title, str(data)[:500])
        return [
            self._described(context, service, entry)
            for entry in entries
            if isinstance(entry, dict) and isinstance(entry.get("id"), str) and _can_chat(entry)
        ]

    def model(self, context: ProviderContext, model_name: str) -> RemoteModel:
        service = self._service(context)
        adapter: ResponsesAdapter | ChatAdapter
        origin = f"{context.name}:{model_name}"  # signed reasoning goes back to the model it came from
        if self._uses_responses(context, service):
            adapter = ResponsesAdapter(origin, self.title, model_name, self.key_variable)
        else:
            adapter = ChatAdapter(self._kind, origin, self.title, model_name, self.key_variable)
        return RemoteModel(self._info(context, service, model_name), service, adapter)

    def _service(self, context: ProviderContext) -> Service:
        return Service(
            context=context,
            title=self.title,
            base_url=self._base_url(context),
            key_variable=self.key_variable,
            key_required=self._kind.key_required,
            auth=_azure_auth if self.kind == "azure" else _bearer,
            tagged_reasoning=self._kind.tagged_reasoning,
        )

    def _base_url(self, context: ProviderContext) -> str:
        url = context.config.base_url
        if self._kind.url_variable and url in {"", self._kind.base_url} and context.name == self.kind:
            url = os.environ.get(self._kind.url_variable, "").strip() or url
        if url and "://" not in url:
            url = f"http://{url}"  # OLLAMA_HOST has no scheme
        url = url.replace("://0.0.0.0", "://127.0.0.1").rstrip("/")
        with suppress(ValueError):  # an address that is none is told when it is used
            parts = urlsplit(url)
            if url and self._kind.default_path and parts.path == "":
                if self.kind == "ollama" and parts.port is None:
                    url += ":11434"
                url += self._kind.default_path
        return url

    def _uses_responses(self, context: ProviderContext, service: Service) -> bool:
        api = context.config.options.get("api", "")
        if api not in {"", "chat", "responses"}:
            raise BadInput(f"The option api of {context.name} is {api!r}; it can be chat or responses.")
        # Other addresses mostly know Chat Completions only, also when they are set by OPENAI_BASE_URL.
        return api == "responses" or (not api and hostname_of(service.base_url) == RESPONSES_HOST)

    def _info(self, context: ProviderContext, service: Service, model: str, **fields: Any) -> ModelInfo:
        capabilities = {"tools", "images", "json_schema"}
        if not self._uses_responses(context, service):
            names = dict(self._kind.sampling)
            capabilities |= {name for name in ("seed", "logprobs") if name in names}
            capabilities |= {"grammar"} if self._kind.grammar else set()
            capabilities -= set() if self._kind.json_schema else {"json_schema"}
        else:
            capabilities |= {"logprobs", "files"}
        if self._kind.reasoning != "none" and (self.kind not in {"openai", "azure"} or REASONING_MODELS.match(model)):
            capabilities.add("reasoning")
        told = fields.pop("capabilities", capabilities)
        return remote_info(context, service, model, told, **fields)

    def _described(self, context: ProviderContext, service: Service, entry: dict[str, Any]) -> ModelInfo:
        """What the list says of a model, in the words of OpenRouter, Together AI, Groq, Mistral and vLLM."""
        fields: dict[str, Any] = {}
        for name in ("context_length", "context_window", "max_context_length", "max_model_len"):
            if isinstance(entry.get(name), int):
                fields["context_length"] = entry[name]
                break
        if isinstance(entry.get("name"), str) and entry["name"]:
            fields["name"] = entry["name"]
        if prices := _openrouter_prices(entry.get("pricing")):
            fields["prices"] = prices
        modalities = (entry.get("architecture") or {}).get("input_modalities")
        parameters = entry.get("supported_parameters")
        info = self._info(context, service, entry["id"], **fields)
        if not isinstance(modalities, list) or not isinstance(parameters, list):
            return info
        capabilities = set(info.capabilities) - {"images", "tools", "json_schema", "reasoning", "seed", "logprobs"}
        capabilities |= {"images"} if "image" in modalities else set()
        capabilities |= {"audio"} if "audio" in modalities else set()
        named = {"tools": "tools", "structured_outputs": "json_schema", "reasoning": "reasoning"}
        named |= {"seed": "seed", "logprobs": "logprobs"}
        capabilities |= {ours for theirs, ours in named.items() if theirs in parameters}
        return self._info(context, service, entry["id"], **fields, capabilities=frozenset(capabilities))


def _bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def _azure_auth(key: str) -> dict[str, str]:
    return {"api-key": key}


def _can_chat(entry: dict[str, Any]) -> bool:
    capabilities = entry.get("capabilities")
    if isinstance(capabilities, dict) and "completion_chat" in capabilities:  # Mistral
        return bool(capabilities["completion_chat"])
    if isinstance(entry.get("type"), str) and entry["type"] in {"embedding", "image", "moderation", "rerank", "audio"}:
        return False
    return not NOT_FOR_CHAT.search(entry["id"])


def _openrouter_prices(pricing: Any) -> Prices | None:
    """Dollars a token, as text -> dollars for a million."""
    if not isinstance(pricing, dict) or not isinstance(pricing.get("prompt"), str):
        return None

    def price(name: str) -> float | None:
        try:
            value = float(pricing.get(name) or "")
        except ValueError:
            return None
        return round(value * 1_000_000, 6) if value >= 0 else None  # -1: depends on where it is routed

    return Prices(
        input=price("prompt"),
        output=price("completion"),
        cached_input=price("input_cache_read"),
        cache_write=price("input_cache_write"),
        source="the provider's model list",
    )


@hookimpl
def workbench_providers() -> list[ProviderPlugin]:
    return [OpenAIProvider(kind) for kind in KINDS]
