"""The downloads a user has started: queue, progress, pause and resume, kept over restarts. No Qt.

What was done of each file lies beside it in the cache; kept here is only which models were asked for.
"""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import filelock
import msgspec

from workbench.core.cancel import CancelToken
from workbench.core.errors import BadInput, Cancelled, ErrorInfo, WorkbenchError
from workbench.hub.cache import RepoCache
from workbench.hub.downloader import Downloader, FileProgress
from workbench.hub.errors import ChecksumMismatch, DownloadPaused, HubError, Offline
from workbench.hub.partial import partials
from workbench.hub.repos import Quantization, RepoFile
from workbench.hub.shared_blobs import blob_of
from workbench.hub.transfer import in_plain_words
from workbench.services.checksum import hash_file
from workbench.services.speed_meter import SpeedMeter

DownloadState = Literal["queued", "running", "paused", "done", "failed", "cancelled"]
_TELL_EVERY_S = 0.1


class Download(msgspec.Struct, kw_only=True):
    """One model that was asked for, as kept in the file."""

    id: str
    repo_id: str
    label: str
    """Its quantisation, for the user."""
    revision: str = "main"
    commit: str = ""
    """Where the revision stood: all files come from there, whatever is published meanwhile."""
    files: tuple[RepoFile, ...]
    """All of them are one model: parts of a split GGUF, and its projector."""
    state: DownloadState = "queued"
    error: ErrorInfo | None = None
    paths: dict[str, str] = {}
    """Finished files: name in the repository -> path in the cache."""
    added_at: str = ""
    place: int = 0
    """In the queue: lower ones start first, equal ones in the order they were asked for."""
    kept: bool = False
    """Cancelled, while what came of it is still there so that this can be taken back."""


class DownloadSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """How a download stands at one moment."""

    id: str
    repo_id: str
    label: str
    state: DownloadState
    phase: str = ""
    """While running: as in `hub.downloader.FileProgress`."""
    message: str = ""
    done_bytes: int = 0
    total_bytes: int = 0
    bytes_per_s: float = 0.0
    remaining_s: float | None = None
    error: ErrorInfo | None = None
    path: str = ""
    """The model's (first) file, once it is done."""
    before: int = 0
    """While queued: how many start before it."""

    @property
    def fraction(self) -> float:
        return min(1.0, self.done_bytes / self.total_bytes) if self.total_bytes else 0.0


Listener = Callable[[DownloadSnapshot], None]


class DownloadManager:
    """Runs up to `parallel` downloads at once; thread-safe.

    Downloads of an earlier run of the program come back paused: nothing connects before the user asks for it.
    """

    def __init__(self, downloader: Downloader, file: Path, *, parallel: int = 3) -> None:
        self.downloader = downloader
        self._file = file
        self._parallel = parallel
        self._lock = threading.RLock()
        self._listeners: list[Listener] = []
        self._entries: dict[str, _Entry] = {}
        self._closed = False
        for item in _load(file):
            if item.state in ("queued", "running"):
                item.state = "paused"
            self._entries[item.id] = _Entry(item)
        for entry in self._entries.values():
            if entry.item.kept:  # the program was ended before the moment to take it back was over
                self._drop_partials(entry)
                entry.item.kept = False
                with contextlib.suppress(OSError):
                    _save(file, {entry.item.id: entry.item})
            entry.done = self._bytes_here(entry.item)

    # --- what the user does -----------------------------------------------------------------------------------
    def start(
        self,
        repo_id: str,
        model: Quantization,
        *,
        revision: str = "main",
        commit: str = "",
        projector: RepoFile | None = None,
    ) -> str:
        """Queue a model and return the download's id. One that is there already goes on instead of a second.

        `commit`: of the listing the model was chosen from; empty: the one that the first file comes from.
        """
        files = model.files + ((projector,) if projector else ())
        with self._lock:
            for entry in self._entries.values():
                if (entry.item.repo_id, entry.item.files) == (repo_id, files) and entry.item.state != "cancelled":
                    if entry.item.state in ("paused", "failed"):
                        if commit and commit != entry.item.commit:  # all parts lie in one snapshot: its own
                            entry.item.commit, entry.item.revision, entry.item.paths = commit, revision, {}
                        self.resume(entry.item.id)
                    return entry.item.id
            now = datetime.now(UTC).isoformat(timespec="seconds")
            item = Download(
                id=uuid.uuid4().hex,
                repo_id=repo_id,
                label=model.label,
                revision=revision,
                commit=commit,
                files=files,
                added_at=now,
            )
            self._entries[item.id] = entry = _Entry(item)
            entry.done = self._bytes_here(item)
        self._changed(entry)
        self._fill()
        return item.id

    def pause(self, download_id: str) -> None:
        """Stop and keep what came. Takes effect within 0.2 s."""
        self._stop(download_id, "paused")

    def cancel(self, download_id: str, *, keep: bool = False) -> None:
        """Stop and delete the partial files. Finished files of a split model stay.

        `keep`: what came stays until `discard`, so that `resume` takes the cancel back.
        """
        self._stop(download_id, "cancelled", keep)

    def discard(self, download_id: str) -> None:
        """Delete what a cancel has kept, if it was not taken back. Deletes files: not for the UI thread."""
        with self._lock:
            entry = self._entries.get(download_id)
            if entry is None or not entry.item.kept or entry.item.state != "cancelled":
                return
            entry.item.kept = False
        self._drop_partials(entry)
        entry.done = self._bytes_here(entry.item)
        self._changed(entry)

    def resume(self, download_id: str) -> None:
        """Go on with a download that is paused, failed or cancelled."""
        with self._lock:
            entry = self._entry(download_id)
            if entry.item.state not in ("paused", "failed", "cancelled"):
                return
            entry.item.state, entry.item.error, entry.message = "queued", None, ""
            entry.item.kept = False
        self._changed(entry)
        self._fill()

    def pause_all(self) -> None:
        with self._lock:  # all that wait first, or they would take the places of those that stop
            ids = [item.id for entry in self._entries.values() if (item := entry.item).state == "queued"]
            ids += [item.id for entry in self._entries.values() if (item := entry.item).state == "running"]
        for download_id in ids:
            self.pause(download_id)

    def resume_all(self) -> None:
        for snapshot in self.snapshots():
            if snapshot.state == "paused":
                self.resume(snapshot.id)

    def first(self, download_id: str) -> None:
        """Let a queued download start before all others that wait."""
        with self._lock:
            entry = self._entry(download_id)
            if entry.item.state != "queued":
                return
            entry.item.place = min(other.item.place for other in self._entries.values()) - 1
        self._changed(entry)

    def forget(self, download_id: str) -> None:
        """Take a download off the list. A running one is paused first; files stay."""
        self.pause(download_id)
        self.wait(download_id, 5)
        self.discard(download_id)
        with self._lock:
            self._entries.pop(download_id, None)
        _save(self._file, {download_id: None})

    def verify(self, download_id: str) -> None:
        """Compare a finished download with the Hub's checksums again, in the background.

        Files that differ are taken out of the cache's snapshot; the download is then failed and can be resumed.
        """
        with self._lock:
            entry = self._entry(download_id)
            if entry.item.state != "done":
                return
            entry.verify = True
            entry.item.state = "queued"
        self._changed(entry)
        self._fill()

    # --- what others ask --------------------------------------------------------------------------------------
    def snapshot(self, download_id: str) -> DownloadSnapshot:
        """Raises BadInput for an id that is not on the list."""
        with self._lock:
            return self._entry(download_id).snapshot(self._queue())

    def snapshots(self) -> list[DownloadSnapshot]:
        """All downloads on the list, oldest first."""
        with self._lock:
            queue = self._queue()
            return [entry.snapshot(queue) for entry in self._entries.values()]

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` on every change, at most ten times a second for each download, in its thread.

        Returns a function that ends that.
        """
        with self._lock:
            self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def wait(self, download_id: str, timeout_s: float | None = None) -> bool:
        """Until it neither runs nor is queued. False: the time was up."""
        with self._lock:
            entry = self._entries.get(download_id)
        return entry is None or entry.idle.wait(timeout_s)

    def close(self) -> None:
        """Stop everything and keep it for the next start."""
        with self._lock:
            self._closed = True
            running = [entry for entry in self._entries.values() if entry.item.state in ("running", "queued")]
            kept = [entry.item.id for entry in self._entries.values() if entry.item.kept]
        for download_id in kept:
            self.discard(download_id)
        for entry in running:
            self.pause(entry.item.id)
        for entry in running:
            entry.idle.wait(5)
            if entry.thread is not None:
                entry.thread.join(5)

    # --- running ----------------------------------------------------------------------------------------------
    def _fill(self) -> None:
        """Start queued downloads while there is room."""
        with self._lock:
            running = sum(entry.item.state == "running" for entry in self._entries.values())
            for entry in self._queue()[: max(0, self._parallel - running)]:
                if self._closed or (entry.thread is not None and entry.thread.is_alive()):
                    continue
                entry.item.state, entry.wish = "running", "paused"
                entry.cancel = CancelToken()
                name = f"download-{entry.item.id[:6]}"
                # A daemon: one that waits for a silent server must not keep a closed program alive.
                entry.thread = threading.Thread(target=self._run, args=(entry,), name=name, daemon=True)
                entry.thread.start()

    def _queue(self) -> list[_Entry]:
        """What waits, in the order it starts."""
        queued = [entry for entry in self._entries.values() if entry.item.state == "queued"]
        return sorted(queued, key=lambda entry: entry.item.place)

    def _run(self, entry: _Entry) -> None:
        error: ErrorInfo | None = None
        state: DownloadState = "failed"
        try:
            self._check(entry) if entry.verify else self._fetch(entry)
            state = "done"
        except Cancelled:
            state = "done" if entry.verify else entry.wish
        except (DownloadPaused, Offline) as problem:
            state, error = "paused", problem.info
        except WorkbenchError as problem:
            error = problem.info
        except BaseException as bug:
            error = ErrorInfo(kind="error", message=f"The download failed: {bug}.", detail=repr(bug))
            raise
        finally:
            self._finish(entry, state, error)

    def _finish(self, entry: _Entry, state: DownloadState, error: ErrorInfo | None) -> None:
        kept = state == "cancelled" and entry.keep
        if state == "cancelled" and not kept:
            self._drop_partials(entry)  # without the lock: the window asks for it, and a large file takes its time
        done = self._bytes_here(entry.item)
        with self._lock:
            entry.item.state, entry.item.error, entry.item.kept = state, error, kept
            entry.verify, entry.phase, entry.message, entry.thread, entry.done = False, "", "", None, done
        self._changed(entry)
        self._fill()

    def _fetch(self, entry: _Entry) -> None:
        item = entry.item
        before = 0
        for file in item.files:
            path = self.downloader.fetch(
                item.repo_id,
                file.path,
                entry.cancel,
                revision=item.revision,
                commit=item.commit or self._commit_here(item),
                progress=lambda progress, start=before: self._progress(entry, progress, start),  # type: ignore[misc]
            )
            before += path.stat().st_size
            with self._lock:
                item.paths = {**item.paths, file.path: str(path)}
                entry.done = before

    def _commit_here(self, item: Download) -> str:
        """The commit of the parts that are here; empty before the first."""
        repo = RepoCache(self.downloader.cache, item.repo_id)
        here = (Path(path) for path in item.paths.values())
        return next((commit for path in here if path.is_file() and (commit := repo.commit_with(path))), "")

    def _check(self, entry: _Entry) -> None:
        item = entry.item
        before = 0
        for file in item.files:
            path = Path(item.paths.get(file.path, "?"))
            try:
                found = hash_file(
                    path,
                    entry.cancel,
                    lambda done, start=before: self._progress(entry, FileProgress("checking", done), start),  # type: ignore[misc]
                )
            except OSError as error:
                raise HubError(
                    f"{file.path} can't be read: {error.strerror or error}.",
                    hint="Resume the download to fetch it again.",
                    detail=str(error),
                ) from error
            before += file.size_bytes
            if file.sha256 and found != file.sha256:
                with in_plain_words(path):
                    self._set_aside(item, file, path)
                raise ChecksumMismatch(
                    f"{file.path} is damaged on the disk.",
                    hint="It was taken out of use. Resume the download to mend it.",
                    detail=f"sha256 expected {file.sha256}, got {found}",
                )

    def _set_aside(self, item: Download, file: RepoFile, path: Path) -> None:
        repo = RepoCache(self.downloader.cache, item.repo_id)
        blob = blob_of(path) or path.resolve()
        path.unlink()
        if blob.is_symlink():  # bytes that other repositories share stay; here they are fetched anew
            blob.unlink()
        elif blob.exists() and blob.parent == repo.blobs.resolve():
            blob.replace(repo.part(file.sha256))
        with self._lock:
            item.paths = {name: where for name, where in item.paths.items() if name != file.path}

    def _progress(self, entry: _Entry, progress: FileProgress, start: int) -> None:
        now = time.monotonic()
        with self._lock:
            changed = (entry.phase, entry.message) != (progress.phase, progress.message)
            entry.phase, entry.message = progress.phase, progress.message
            if progress.phase not in ("asking", "waiting", "retrying"):  # what is here stays here meanwhile
                entry.done = start + progress.done_bytes
            if progress.phase == "downloading":
                entry.meter.measure(entry.done)
            else:
                entry.meter.stop()
            if not changed and now - entry.told < _TELL_EVERY_S:
                return
            entry.told = now
        self._tell(entry)

    def _stop(self, download_id: str, wish: Literal["paused", "cancelled"], keep: bool = False) -> None:
        with self._lock:
            entry = self._entry(download_id)
            if entry.item.state == "running":
                entry.wish, entry.keep = wish, keep
                cancel = entry.cancel
            elif entry.item.state in ("queued", "paused", "failed"):
                cancel = None
                # what only waited to be checked again is as complete as before
                state: DownloadState = "done" if entry.verify else wish
                entry.verify = False
                entry.item.state, entry.item.kept = state, state == "cancelled" and keep
            else:
                return
        if cancel is not None:
            cancel.cancel()
            return
        if state == "cancelled" and not keep:
            self._drop_partials(entry)
            entry.done = self._bytes_here(entry.item)
        self._changed(entry)

    def _drop_partials(self, entry: _Entry) -> None:
        """But for those of files that another download brings too, as two quantisations bring one projector."""
        item, over = entry.item, ("done", "cancelled")
        with self._lock:
            others = [other.item for other in self._entries.values() if other is not entry]
            live = [other for other in others if other.repo_id == item.repo_id and other.state not in over]
        needed = {file.path for other in live for file in other.files}
        for file in item.files:
            if file.path not in needed:
                self.downloader.discard(item.repo_id, file.path)

    def _bytes_here(self, item: Download) -> int:
        done = sum(file.size_bytes for file in item.files if Path(item.paths.get(file.path, "?")).is_file())
        names = {file.path for file in item.files}
        with contextlib.suppress(OSError):
            for part, state in partials(RepoCache(self.downloader.cache, item.repo_id)):
                if state is not None and state.filename in names:
                    done += part.stat().st_size
        return done

    def _entry(self, download_id: str) -> _Entry:
        try:
            return self._entries[download_id]
        except KeyError:
            raise BadInput(f"There is no download {download_id}.") from None

    def _changed(self, entry: _Entry) -> None:
        with self._lock:
            if entry.item.state in ("queued", "running"):
                entry.idle.clear()
            known = entry.item.id in self._entries
        if known:
            with contextlib.suppress(OSError):  # a full disk must not end the download's thread
                _save(self._file, {entry.item.id: entry.item})
        self._tell(entry)
        if entry.item.state not in ("queued", "running"):
            entry.idle.set()

    def _tell(self, entry: _Entry) -> None:
        with self._lock:
            snapshot, listeners = entry.snapshot(self._queue()), list(self._listeners)
        for listener in listeners:
            listener(snapshot)


class _Entry:
    """A download with what is known of it only while the program runs."""

    def __init__(self, item: Download) -> None:
        self.item = item
        self.cancel = CancelToken()
        self.wish: Literal["paused", "cancelled"] = "paused"
        self.keep = False
        self.thread: threading.Thread | None = None
        self.verify = False
        self.phase = self.message = ""
        self.done = 0
        self.told = 0.0
        self.idle = threading.Event()
        self.idle.set()
        self.meter = SpeedMeter()

    def snapshot(self, queue: Sequence[_Entry] = ()) -> DownloadSnapshot:
        item = self.item
        total = sum(file.size_bytes for file in item.files)
        speed = self.meter.bytes_per_s if item.state == "running" else 0.0
        return DownloadSnapshot(
            id=item.id,
            repo_id=item.repo_id,
            label=item.label,
            state=item.state,
            phase=self.phase,
            message=self.message or (str(item.error) if item.error else ""),
            done_bytes=total if item.state == "done" else self.done,
            total_bytes=total,
            bytes_per_s=speed,
            remaining_s=(total - self.done) / speed if speed > 0 else None,
            error=item.error,
            path=item.paths.get(item.files[0].path, "") if item.state == "done" else "",
            before=queue.index(self) if self in queue else 0,
        )


def _load(file: Path) -> list[Download]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=list[Download])
    except FileNotFoundError:
        return []
    except (OSError, msgspec.DecodeError):  # partial files are still resumed when the model is asked for again
        with contextlib.suppress(OSError):
            file.replace(file.with_suffix(".damaged.json"))
        return []


def _save(file: Path, changes: dict[str, Download | None]) -> None:
    """Write changed downloads (None: off the list), leaving alone those another window of the program has."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(file.with_suffix(".lock")):
        items: dict[str, Download | None] = {item.id: item for item in _load(file)}
        kept: Iterable[Download | None] = (items | changes).values()
        new = file.with_suffix(".new")
        new.write_bytes(msgspec.json.encode([item for item in kept if item is not None]))
        new.replace(file)
