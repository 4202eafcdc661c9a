"""The bundled list of well-known open models: a starting point without the network. No Qt."""

from __future__ import annotations

from pathlib import Path

import msgspec

from workbench.core.errors import BadInput
from workbench.hub.repos import RepoSummary, SearchQuery


class CatalogueEntry(msgspec.Struct, frozen=True, kw_only=True):
    repo: str
    """Repository on the Hub, with GGUF files."""
    name: str
    task: str
    parameters: int
    license: str
    architecture: str = ""
    context_length: int | None = None
    good_for: tuple[str, ...] = ()
    """Of: chat, code, reasoning, multilingual, images, embeddings, small."""
    gated: bool = False


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    as_of: str
    """ISO date on which the list was made."""
    note: str = ""
    """How it was made, for whoever mends it."""
    models: tuple[CatalogueEntry, ...]

    @classmethod
    def load(cls, file: Path) -> Catalogue:
        """Raises BadInput where the file is missing or damaged."""
        try:
            return msgspec.json.decode(file.read_bytes(), type=cls)
        except (OSError, msgspec.DecodeError) as error:
            raise BadInput(f"The model catalogue {file} can't be read: {error}.") from error

    def search(self, query: SearchQuery) -> list[RepoSummary]:
        """The entries that fit, smallest model first; every word must occur in name, repository or use."""
        found = [entry for entry in self.models if _fits(entry, query)]
        return [_summary(entry) for entry in sorted(found, key=lambda entry: entry.parameters)]


def _fits(entry: CatalogueEntry, query: SearchQuery) -> bool:
    text = " ".join((entry.repo, entry.name, entry.architecture, *entry.good_for)).casefold()
    return (
        all(word in text for word in query.text.casefold().split())
        and query.task in ("", entry.task)
        and query.author.casefold() in ("", entry.repo.split("/")[0].casefold())
        and query.license in ("", entry.license)
        and entry.parameters >= (query.min_parameters or 0)
        and (query.max_parameters is None or entry.parameters <= query.max_parameters)
    )


def _summary(entry: CatalogueEntry) -> RepoSummary:
    return RepoSummary(
        id=entry.repo,
        task=entry.task,
        license=entry.license,
        gated=entry.gated,
        tags=entry.good_for,
        parameters=entry.parameters,
        architecture=entry.architecture,
        context_length=entry.context_length,
    )
