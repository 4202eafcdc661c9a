"""What the plugins of single vendors have in common: where the service is, and what a model of it is called."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from workbench.core.cancel import CancelToken
from workbench.core.models import ModelInfo
from workbench.core.settings import Provider
from workbench.hookspecs import ProviderContext
from workbench.providers.errors import malformed
from workbench.providers.remote_model import Service


@dataclass(frozen=True, slots=True)
class Vendor:
    """One vendor with an API of its own at one address."""

    kind: str
    title: str
    base_url: str
    version_path: str
    """Which the vendor's own SDKs, and so users, may write at the end of a base URL; the adapter's paths have it."""
    url_variable: str
    key_variable: str
    auth: Callable[[str], dict[str, str]]
    """Key -> headers."""

    @property
    def presets(self) -> dict[str, Provider]:
        return {self.kind: Provider(kind=self.kind, base_url=self.base_url)}

    def is_preset(self, context: ProviderContext) -> bool:
        """The provider as it ships: only that one is moved by environment variables."""
        return context.config.base_url in {"", self.base_url} and context.name == self.kind

    def service(self, context: ProviderContext) -> Service:
        url = context.config.base_url
        if self.is_preset(context):
            url = os.environ.get(self.url_variable, "").strip()
        return Service(
            context=context,
            title=self.title,
            base_url=(url or self.base_url).rstrip("/").removesuffix(self.version_path),
            key_variable=self.key_variable,
            key_required=True,
            auth=self.auth,
        )

    def pages(
        self,
        service: Service,
        path: str,
        following: Callable[[dict[str, Any]], str],
        cancel: CancelToken,
        headers: dict[str, str] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """A list's pages. `following` makes of one page what is added to the path for the next; empty: the last."""
        more = ""
        while True:
            data = service.client.get_json(
                path + more,
                headers={**service.headers(), **(headers or {})},
                cancel=cancel,
                key_variable=self.key_variable,
            )
            if not isinstance(data, dict):
                raise malformed(self.title, str(data)[:500])
            yield data
            more = following(data)
            if not more:
                return


def remote_info(
    context: ProviderContext, service: Service, model: str, capabilities: Iterable[str], **fields: Any
) -> ModelInfo:
    """A model of a provider. `fields`: what its list of models says, over what is assumed here."""
    values: dict[str, Any] = {
        "id": f"{context.name}:{model}",
        "name": model,
        "provider": context.name,
        "capabilities": frozenset(capabilities),
        "remote": not service.local,
    }
    return ModelInfo(**(values | fields))
