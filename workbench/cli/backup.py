"""`workbench backup` and `workbench restore`: all data in one file, and back."""

from __future__ import annotations

from pathlib import Path

import click

from workbench.cli.output import Progress, human_bytes, print_json, write
from workbench.core.errors import BadInput, Cancelled
from workbench.core.paths import Paths
from workbench.services.backup import file_name, make_backup
from workbench.services.backup_archive import Manifest, Tell, verify
from workbench.services.backup_restore import SafetyCopy, Staged, commit, discard, finish, is_pending, stage, stage_undo

STEPS = {"copy": "Copying the database", "pack": "Packing", "check": "Checking", "unpack": "Unpacking and checking"}
FIELDS = ", ".join(Manifest.__struct_fields__)


@click.command(
    epilog=f"""\b
With --json one object: path, bytes and what the backup holds:
  {FIELDS}"""
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace a file that is there already.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def backup(file: Path, force: bool, as_json: bool) -> None:
    """Write chats, comparisons, evaluations, runs, presets and settings to FILE (or into the folder FILE).

    Works while the window is open and answers are being written. Keys are never in a backup; models are listed in it
    with where they came from and their sha256, but not copied.
    """
    paths = Paths.of_user()
    target = (file / file_name() if file.is_dir() else file).absolute()
    if target.exists() and not force:
        raise BadInput(f"{target} exists already.", hint="Choose another name, or use --force.")
    progress = Progress()
    try:
        manifest = make_backup(paths, target, tell=_tell(progress))
    finally:
        progress.clear()
    size = target.stat().st_size
    if as_json:
        print_json({"path": str(target), "bytes": size, **_fields(manifest)})
    else:
        write(f"{target}: {_contents(manifest)}, {human_bytes(size)}\n")


@click.command(
    epilog=f"""\b
With --json one object: restored, safety_copy (the folder with what was replaced) and what the backup holds:
  {FIELDS}"""
)
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--yes", is_flag=True, help="Don't ask before the present data is replaced.")
@click.option("--check", "only_check", is_flag=True, help="Read and verify FILE, change nothing.")
@click.option("--undo", is_flag=True, help="Put back what the last restore replaced. Needs no FILE.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object. Needs --yes, --check or --undo.")
def restore(file: Path | None, yes: bool, only_check: bool, undo: bool, as_json: bool) -> None:
    """Put the backup FILE in the place of all present data, which is kept aside: `workbench restore --undo` brings it
    back. Keys and models stay as they are. The window must be closed.
    """
    if (file is None) != undo or (undo and only_check):
        raise BadInput("Name the file of a backup, or use --undo alone.")
    if as_json and not (yes or only_check or undo):
        raise BadInput("--json can't ask: add --yes to replace the present data, or --check to look only.")
    paths = Paths.of_user()
    finish(paths)
    if file is None:
        staged = stage_undo(paths)
        _report(_commit(paths, staged), None, as_json)
        return
    progress = Progress()
    try:
        if only_check:
            manifest = verify(file, _tell(progress))
            progress.clear()
            _report(None, manifest, as_json)
            return
        staged, manifest = stage(paths, file, tell=_tell(progress))
    finally:
        progress.clear()
    if not yes:
        write(f"{file}: {_contents(manifest)}, made {manifest.created_at} by version {manifest.program}\n")
        for provider in manifest.providers:
            write(f"  its provider {provider.name} sends prompts and the key to {provider.base_url or 'the default'}\n")
        if not _agreed(paths, staged):
            raise Cancelled("Nothing was changed.")
    _report(_commit(paths, staged), manifest, as_json)


def _agreed(paths: Paths, staged: Staged) -> bool:
    try:
        agreed = click.confirm("Replace all present data with it?", default=False, err=True)
    except click.Abort:
        discard(paths, staged)
        raise
    if not agreed:
        discard(paths, staged)
    return agreed


def _commit(paths: Paths, staged: Staged) -> SafetyCopy:
    try:
        return commit(paths, staged)
    except Exception:
        if not is_pending(paths):
            discard(paths, staged)
        raise


def _report(safety: SafetyCopy | None, manifest: Manifest | None, as_json: bool) -> None:
    if as_json:
        kept = str(safety.folder) if safety and safety.folder.exists() else None
        print_json({"restored": safety is not None, "safety_copy": kept, **(_fields(manifest) if manifest else {})})
    elif safety is None:
        assert manifest is not None
        write(f"The backup is complete and undamaged: {_contents(manifest)}, made {manifest.created_at}\n")
    else:
        write("Restored." if manifest else "The restore was undone.")
        if safety.folder.exists():
            write(f" What was there before is in {safety.folder} (`workbench restore --undo` brings it back).")
        write("\n")


def _contents(manifest: Manifest) -> str:
    return f"{manifest.sessions} sessions, {manifest.runs} runs, {len(manifest.models)} models listed"


def _fields(manifest: Manifest) -> dict[str, object]:
    return {name: getattr(manifest, name) for name in Manifest.__struct_fields__}


def _tell(progress: Progress) -> Tell:
    return lambda step, fraction: progress.show(f"{STEPS.get(step, step)}: {fraction:.0%}")
