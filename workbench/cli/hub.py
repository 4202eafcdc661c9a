"""`workbench search`, `download` and `remove`: models on the Hugging Face Hub and on this machine."""

from __future__ import annotations

import re
import sys
from contextlib import closing
from pathlib import Path

import click

from workbench.cli.context import Workbench
from workbench.cli.output import Progress, human_bytes, print_json, print_table
from workbench.core.cancel import CancelToken
from workbench.core.errors import BadInput, UnknownModel, WorkbenchError
from workbench.core.paths import bundled
from workbench.hub.downloader import Downloader, FileProgress
from workbench.hub.remote_gguf import knows_architecture
from workbench.hub.repos import Quantization, RepoDetails, RepoSummary, SearchQuery
from workbench.services.catalogue import Catalogue
from workbench.services.fit import recommend
from workbench.services.hub_access import HubAccess
from workbench.services.model_files import FoundModel, models_at
from workbench.services.model_removal import plan_removal
from workbench.services.model_removal import remove as carry_out
from workbench.services.model_shape import ModelShape
from workbench.services.speed_meter import SpeedMeter

_SIZES = {"K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}


def _access(workbench: Workbench) -> HubAccess:
    return HubAccess(workbench.settings_file, workbench.keys, workbench.paths)


@click.command()
@click.argument("query", default="")
@click.option("--task", default="", help="The Hub's task, such as text-generation or image-text-to-text.")
@click.option("--author", default="", help="Only this user or organisation.")
@click.option("--license", "license_", default="", help="Only this licence, such as apache-2.0 or mit.")
@click.option("--min-size", default="", help="Fewest parameters, such as 500M.")
@click.option("--max-size", default="", help="Most parameters, such as 8B.")
@click.option(
    "--sort",
    type=click.Choice(["trending", "downloads", "likes", "updated", "created"]),
    default="downloads",
    show_default=True,
)
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="Most results.")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
def search(
    query: str,
    task: str,
    author: str,
    license_: str,
    min_size: str,
    max_size: str,
    sort: str,
    limit: int,
    as_json: bool,
) -> None:
    """Search the Hugging Face Hub for GGUF models. Offline, the bundled catalogue is searched instead."""
    wanted = SearchQuery(
        text=query,
        task=task,
        author=author,
        license=license_,
        min_parameters=_parameters(min_size),
        max_parameters=_parameters(max_size),
        sort=sort,  # type: ignore[arg-type]  # click has checked it
        page_size=min(limit, 100),
    )
    with Workbench() as workbench, closing(_access(workbench)) as access:
        if access.offline:
            catalogue = Catalogue.load(bundled("resources") / "catalogue.json")
            print(f"Offline: from the bundled catalogue of {catalogue.as_of}.", file=sys.stderr)
            found = catalogue.search(wanted)[:limit]
        else:
            results = access.client.search(wanted)
            found = []
            while len(found) < limit and not results.finished:
                found += results.next_page(CancelToken())
    _print_repos(found[:limit], as_json)


def _print_repos(found: list[RepoSummary], as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    rows = [
        (
            repo.id,
            _count(repo.parameters),
            str(repo.context_length or ""),
            repo.architecture,
            repo.license,
            _count(repo.downloads),
            "gated" if repo.gated else "",
        )
        for repo in found
    ]
    print_table(("REPOSITORY", "PARAMETERS", "CONTEXT", "ARCHITECTURE", "LICENCE", "DOWNLOADS", ""), rows)
    if not rows:
        print("Nothing found.", file=sys.stderr)


@click.command()
@click.argument("repo")
@click.argument("which", default="", metavar="[FILE or QUANT]")
@click.option("--revision", default="main", show_default=True, help="Branch, tag or commit.")
@click.option("--projector", is_flag=True, help="Also the mmproj file of a multimodal model.")
@click.option("--json", "as_json", is_flag=True, help="Print the repository, label and paths as JSON.")
def download(repo: str, which: str, revision: str, projector: bool, as_json: bool) -> None:
    """Download a model into the Hugging Face cache and print its path.

    REPO is ORG/NAME, its address on the Hub, or ORG/NAME:QUANT. Without FILE or QUANT the one that suits this
    machine best is taken. Ctrl+C keeps what came; the same command goes on from there.
    """
    repo_id, quant = _repo_and_quant(repo)
    with Workbench() as workbench, closing(_access(workbench)) as access:
        cancel = CancelToken()
        details = access.client.details(repo_id, cancel, revision=revision, card=False)
        model = _choose(access, details, which or quant, cancel)
        _warn_of_architecture(details)
        if not model.complete:
            raise BadInput(f"Parts of {model.label} are missing in {repo_id}.", hint="Choose another quantisation.")
        downloader = access.downloader()
        files = [file.path for file in model.files]
        if projector:
            files += [file.path for file in details.projectors[:1]]
        paths = _fetch(downloader, details, model, files, revision, cancel)
    if as_json:
        print_json(
            {
                "repo": repo_id,
                "label": model.label,
                "revision": details.revision,
                "paths": [str(path) for path in paths],
            }
        )
    else:
        print(paths[0])


def _fetch(
    downloader: Downloader,
    details: RepoDetails,
    model: Quantization,
    files: list[str],
    revision: str,
    cancel: CancelToken,
) -> list[Path]:
    line = Progress()
    print(f"{details.id} {model.label}, {human_bytes(model.size_bytes)}", file=sys.stderr)
    paths = []
    try:
        for number, name in enumerate(files, 1):
            part = f"{number}/{len(files)} " if len(files) > 1 else ""
            meter = _Meter(line, part + name.rsplit("/", 1)[-1])
            path = downloader.fetch(
                details.id, name, cancel, revision=revision, commit=details.revision, progress=meter
            )
            paths.append(path)
    except KeyboardInterrupt:
        cancel.cancel()
        line.say("Stopped. What came is kept; run the command again to go on.", always=True)
        raise
    finally:
        line.clear()
    return paths


class _Meter:
    """Shows one file's progress in a line on the terminal; what goes wrong stays as a line of its own."""

    def __init__(self, line: Progress, name: str) -> None:
        self._line = line
        self._name = name
        self._said = ""
        self._speed = SpeedMeter()

    def __call__(self, progress: FileProgress) -> None:
        if progress.message and progress.message != self._said:
            self._said = progress.message
            self._line.say(progress.message, always=True)
        if progress.total_bytes:
            speed = self._speed.measure(progress.done_bytes) if progress.phase == "downloading" else 0.0
            left = (progress.total_bytes - progress.done_bytes) / speed if speed else None
            rest = f"  {human_bytes(int(speed))}/s  {_duration(left)} left" if left is not None else ""
            done, total = human_bytes(progress.done_bytes), human_bytes(progress.total_bytes)
            percent = 100 * progress.done_bytes // progress.total_bytes
            self._line.show(f"{self._name}  {progress.phase}  {percent} %  {done} of {total}{rest}")


def _choose(access: HubAccess, details: RepoDetails, which: str, cancel: CancelToken) -> Quantization:
    if not details.quantizations:
        raise BadInput(f"{details.id} has no GGUF files.", hint="Look for a repository whose name ends in GGUF.")
    if which:
        return details.find(which)
    shape = _shape(access, details, cancel)
    advice = recommend(details.quantizations, access.judge_all(details.quantizations, shape))
    if advice is None:
        raise BadInput(f"Every model in {details.id} lacks parts.", hint="Choose another repository.")
    print(f"Taking {advice.model.label}: {advice.reason}", file=sys.stderr)
    return advice.model


def _shape(access: HubAccess, details: RepoDetails, cancel: CancelToken) -> ModelShape | None:
    """From a header on the Hub; None where it can't be read, so that sizes alone have to do."""
    model = details.quickest_to_read
    if model is None:
        return None
    try:
        return ModelShape.of(access.headers.read_model(details.id, model, cancel, revision=details.revision))
    except WorkbenchError:
        return None


def _warn_of_architecture(details: RepoDetails) -> None:
    architecture = details.summary.architecture
    if knows_architecture(architecture) is False:
        print(f"Warning: the llama.cpp of this program does not know the architecture {architecture}.", file=sys.stderr)


@click.command()
@click.argument("model")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@click.option("--json", "as_json", is_flag=True, help="Print name, files, frees_bytes, used_by, owner and deleted.")
def remove(model: str, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Delete a model from this machine. Says what that frees and what else uses the file.

    MODEL is a name or id as `workbench models` lists it, a file, ORG/NAME, or ORG/NAME:QUANT.
    """
    with Workbench() as workbench, closing(_access(workbench)) as access:
        found = _find(model, access.models_here())
    removal = plan_removal(found)
    print(removal.summary, file=sys.stderr)
    for name in removal.names:
        print(f"  {name}", file=sys.stderr)
    if not dry_run:
        if not yes:
            if not sys.stdin.isatty():
                raise BadInput("Nothing was deleted.", hint="Add --yes to delete without being asked.")
            click.confirm("Delete?", abort=True, err=True)
        print(f"Freed {human_bytes(carry_out(removal))}.", file=sys.stderr)
    if as_json:
        print_json(
            {
                "name": found.name,
                "files": [str(name) for name in removal.names],
                "frees_bytes": removal.frees_bytes,
                "used_by": removal.used_by,
                "owner": removal.owner,
                "deleted": not dry_run,
            }
        )


def _find(wanted: str, here: list[FoundModel]) -> FoundModel:
    path = Path(wanted).expanduser()
    if path.is_file():
        same = [m for m in here if any(f.absolute() == path.absolute() for f in (*m.files, *m.also))]
        found = same or models_at(path)
    else:
        name, _, quant = wanted.removeprefix("local:").partition(":")
        found = [m for m in here if wanted.removeprefix("local:") in (m.name, m.repo_id)]
        if not found:
            found = [m for m in here if m.repo_id == name and quant.casefold() in ("", m.label.casefold())]
    if len(found) == 1:
        return found[0]
    if not found:
        raise UnknownModel(f"There is no model {wanted} on this machine.", hint="`workbench models` lists them.")
    names = ", ".join(f"{m.repo_id}:{m.label}" if m.repo_id else str(m.path) for m in found)
    raise BadInput(f"{wanted} names several models.", hint=f"They are: {names}.")


def _repo_and_quant(text: str) -> tuple[str, str]:
    text = re.sub(r"^https?://[^/]+/", "", text).removesuffix("/")
    text = re.sub(r"/(tree|blob|resolve)/[^/]+.*$", "", text)
    repo_id, _, quant = text.partition(":")
    if repo_id.count("/") != 1:
        raise BadInput(f"{text} is not a repository.", hint="Give it as ORG/NAME; `workbench search` finds some.")
    return repo_id, quant


def _parameters(text: str) -> int | None:
    if not text:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMBT]?)", text.strip().upper())
    if not match:
        raise BadInput(f"{text} is not a size.", hint="Sizes look like 500M or 8B.")
    return int(float(match[1]) * _SIZES.get(match[2], 1))


def _count(number: int | None) -> str:
    if number is None:
        return ""
    for letter in "TBMK":
        if number >= _SIZES[letter]:
            return f"{number / _SIZES[letter]:.3g}{letter}"
    return str(number)


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, rest = divmod(int(seconds), 60)
    return (
        f"{minutes // 60} h {minutes % 60} min"
        if minutes >= 60
        else f"{minutes} min {rest} s"
        if minutes
        else f"{rest} s"
    )
