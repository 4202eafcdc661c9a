"""Downloads one file into the Hugging Face cache, whatever happens on the way.

huggingface_hub's own download does not resume after a restart, loses the partial file to a reset, does not check
the sha256 over plain HTTP and takes seconds to cancel; so the bytes are fetched here, with ranges.

Xet is not used, though huggingface_hub 2.4 offers it (tests/hub/test_xet.py shows it): its `xet_get` writes to a file
of a random name that any failure deletes, so nothing is resumed, and files what came under the sha256 that the Hub
names without computing it. hf_xet 1.8 has streams that begin at any byte, so a use of our own could hash and resume;
but it takes neither our proxy nor our CA file, reads a gigabyte ahead whatever the bandwidth limit says, and calls
itself not meant to be used directly. Over HTTPS the same bytes come from Xet's bridge.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import filelock

from workbench.core.cancel import CancelToken
from workbench.core.errors import Cancelled
from workbench.core.settings import Network
from workbench.hub.auth import usual_token
from workbench.hub.bandwidth import BandwidthLimit
from workbench.hub.cache import RepoCache, default_cache
from workbench.hub.errors import BusyElsewhere, ChecksumMismatch, DiskFull, DownloadPaused, HubError
from workbench.hub.network import hub_endpoint
from workbench.hub.partial import PartialState, discard, partials, state_path
from workbench.hub.resolve import HubSession, RangeIgnored, Resolved, check_bytes
from workbench.hub.transfer import READ_BYTES, HashedFile, Piece, body, in_plain_words

Phase = Literal["asking", "waiting", "checking", "downloading", "retrying", "repairing", "done"]
_KEEP_FREE_BYTES = 16 << 20
_SAVE_EVERY_S = 1.0
_TELL_EVERY_S = 0.05


@dataclass(frozen=True, slots=True)
class FileProgress:
    """Where one file stands. `message` says why it is not `downloading`."""

    phase: Phase
    done_bytes: int = 0
    total_bytes: int | None = None
    message: str = ""
    error: HubError | None = None
    """What is being retried."""


@dataclass(frozen=True, slots=True)
class DownloadOptions:
    stall_s: float = 30.0
    connect_s: float = 10.0
    tries: int = 10
    """Tries in a row that bring not one new byte before it is given up."""
    backoff_s: float = 1.0
    backoff_max_s: float = 60.0
    block_bytes: int = 64 << 20
    repair_share: float = 0.25
    """Largest part of a file that is fetched again for repair; more than that, and all of it is."""
    wait_for_other: bool = True
    """Wait while another process downloads the same file; else raise BusyElsewhere."""


class Downloader:
    """Makes downloads; thread-safe. One `fetch` is one file, and blocks until it is there."""

    def __init__(
        self,
        network: Network | None = None,
        *,
        token: Callable[[], str | None] = usual_token,
        endpoint: str = "",
        cache: Path | None = None,
        limit: BandwidthLimit | None = None,
        options: DownloadOptions | None = None,
    ) -> None:
        self.network = network or Network()
        self.endpoint = endpoint or hub_endpoint()
        self.cache = cache or default_cache()
        self.limit = limit or BandwidthLimit(self.network.download_limit_kib_s * 1024)
        self.options = options or DownloadOptions()
        self._token = token

    def fetch(
        self,
        repo_id: str,
        filename: str,
        cancel: CancelToken,
        *,
        revision: str = "main",
        commit: str = "",
        progress: Callable[[FileProgress], None] = lambda _: None,
    ) -> Path:
        """The file's path in the cache, complete and with the right sha256.

        `commit`: where the revision stood when the files were chosen. All files of a model are asked for by the same
        one, else a repository that is changed meanwhile would give parts of two versions. Empty: where it stands now.

        Raises Cancelled (what came is kept, and the next call goes on from there), DownloadPaused where the user
        has to do something first (it is kept, too), or HubError.
        """
        session = HubSession(
            self.network,
            self.endpoint,
            self._token,
            connect_s=self.options.connect_s,
            answer_s=self.options.stall_s,
        )
        try:
            job = _Job(self, session, RepoCache(self.cache, repo_id), filename, (revision, commit), cancel, progress)
            return job.run()
        finally:
            session.close()

    def discard(self, repo_id: str, filename: str) -> int:
        """Delete partial files of this file, but for those that someone is downloading. Returns the bytes freed."""
        freed = 0
        repo = RepoCache(self.cache, repo_id)
        for part, state in partials(repo):
            if state is not None and state.filename == filename:
                with contextlib.suppress(OSError), filelock.FileLock(repo.lock(state.etag), timeout=0, mode=0o664):
                    freed += part.stat().st_size
                    discard(part)
        return freed


class _ChangedError(Exception):
    """The file on the Hub is another one now: start over."""


class _Job:
    """One run of one download. Used by one thread."""

    def __init__(
        self,
        owner: Downloader,
        session: HubSession,
        repo: RepoCache,
        filename: str,
        version: tuple[str, str],
        cancel: CancelToken,
        progress: Callable[[FileProgress], None],
    ) -> None:
        """`version`: the revision, and the commit that is meant by it or nothing."""
        self._owner = owner
        self._options = owner.options
        self._session = session
        self._repo = repo
        self._filename = filename
        self._revision, self._commit = version
        self._cancel = cancel
        self._report = progress
        self._target: Resolved
        self._total: int | None = None
        self._state: PartialState
        self._part: Path
        self._file: HashedFile
        self._told = self._saved = 0.0
        self._untold: FileProgress | None = None

    def run(self) -> Path:
        self._repo.pointer("any", self._filename)  # refuses unsafe names before anything is asked or written
        self._report(FileProgress("asking"))
        for _ in range(5):
            self._target = self._patiently(self._resolve)
            self._total = self._target.size
            try:
                return self._fetch()
            except _ChangedError:
                continue  # another version was published meanwhile
        raise HubError(f"{self._filename} keeps changing on the Hub.", hint="Try again later.")

    def _resolve(self) -> Resolved:
        return self._session.resolve(self._repo.repo_id, self._filename, self._commit or self._revision, self._cancel)

    def _fetch(self) -> Path:
        target, repo = self._target, self._repo
        if path := self._already_here():
            return path
        with in_plain_words(repo.blobs):
            repo.prepare(target.etag)
        with self._lock():
            if path := self._already_here():
                return path
            self._part = repo.part(target.etag)
            self._drop_outdated()
            self._check_space()
            self._download()
            with in_plain_words(repo.blobs):
                path = repo.file_part(target.etag, target.commit, self._filename, self._revision)
                discard(self._part)
            threading.Thread(target=_flush, args=(path,), name="download-flush", daemon=True).start()
        self._tell("done", target.size, always=True)
        return path

    def _already_here(self) -> Path | None:
        """The finished file, linked if only the blob is there."""
        target = self._target
        pointer, blob = self._repo.pointer(target.commit, self._filename), self._repo.blob(target.etag)
        here = next((path for path in (pointer, blob) if path.is_file() and path.stat().st_size == target.size), None)
        if here is None:
            return None
        if here is blob:
            with in_plain_words(pointer):
                self._repo.link(target.etag, target.commit, self._filename, self._revision)
        else:
            with contextlib.suppress(OSError):  # a shared cache may be read-only
                self._repo.link(target.etag, target.commit, self._filename, self._revision)
        self._tell("done", target.size, always=True)
        return pointer

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        """The lock huggingface_hub takes for the same file, so neither disturbs the other."""
        lock = filelock.FileLock(self._repo.lock(self._target.etag), mode=0o664)
        while True:
            try:
                lock.acquire(timeout=0)
                break
            except filelock.Timeout:  # an OSError, so it must not meet in_plain_words
                message = f"Another program is downloading {self._filename}."
                if not self._options.wait_for_other:
                    raise BusyElsewhere(message, hint="Wait for it, or end it and resume here.") from None
                self._tell("waiting", 0, message, always=True)
                if self._cancel.wait(0.15):
                    raise Cancelled("Stopped.") from None
            except OSError as error:
                with in_plain_words(Path(lock.lock_file)):
                    raise error
        try:
            yield
        finally:
            lock.release()

    def _drop_outdated(self) -> None:
        """Partial files of an earlier version of this file are of no use any more."""
        for part, state in partials(self._repo):
            if state is not None and state.filename == self._filename and state.etag != self._target.etag:
                discard(part)

    def _check_space(self) -> None:
        have = self._part.stat().st_size if self._part.exists() else 0
        need = self._target.size - have
        free = shutil.disk_usage(self._part.parent).free
        if need + _KEEP_FREE_BYTES > free:
            raise DiskFull(
                f"{self._filename} needs {need / 1e9:.2f} GB more, and {self._repo.root} has {free / 1e9:.2f} GB free.",
                hint="Free some space or choose another download folder in Settings > Folders, then resume.",
            )

    # --- the bytes --------------------------------------------------------------------------------------------
    def _download(self) -> None:
        old = PartialState.load(state_path(self._part)) if self._part.exists() else None
        self._state = old if old and self._continues(old) else self._new_state()
        file = self._file = HashedFile(self._part, self._state.block_bytes)
        try:
            self._take_up(file)
            self._pull_rest(file)
            self._verify(file)
        finally:
            file.close()

    def _continues(self, old: PartialState) -> bool:
        return (old.etag, old.size) == (self._target.etag, self._target.size)

    def _new_state(self) -> PartialState:
        target = self._target
        return PartialState(
            repo_id=self._repo.repo_id,
            filename=self._filename,
            revision=self._revision,
            commit=target.commit,
            url=target.url,
            etag=target.etag,
            size=target.size,
            sha256=target.sha256,
            block_bytes=self._options.block_bytes,
        )

    def _take_up(self, file: HashedFile) -> None:
        """Hash what is here already and mend blocks that are not as they were received."""
        have = min(self._part.stat().st_size, self._target.size)
        if have:
            self._state.breaks.append(have)
        self._rehash(file, have)
        self._save(file)

    def _rehash(self, file: HashedFile, limit: int) -> None:
        marks = list(self._state.marks)
        mended = -1
        while (block := file.rehash(limit, self._cancel, lambda done: self._tell("checking", done), marks)) is not None:
            if block == mended:  # what came now differs from what came then: the end will show which was right
                del marks[block:]
                continue
            self._refetch(file, block, limit)
            mended = block

    def _pull_rest(self, file: HashedFile) -> None:
        restarts = 0
        best = file.size

        def save_sometimes(data: Piece) -> None:
            file.write(data)
            if time.monotonic() - self._saved > _SAVE_EVERY_S:
                self._save(file)
            self._tell("downloading", file.size)

        try:
            while file.size < self._target.size:
                try:
                    self._pull(lambda: file.size, self._target.size, save_sometimes, best)
                except RangeIgnored:
                    best = max(best, file.size)
                    restarts += 1
                    if restarts > self._options.tries:
                        raise HubError("The server breaks off and can't resume.", hint="Try again later.") from None
                    file.forget()
                    self._state.breaks.clear()
                    self._tell(
                        "retrying", 0, "The server can't resume; starting again from the beginning.", always=True
                    )
        finally:
            with contextlib.suppress(DownloadPaused):  # the disk may be full of the download itself
                self._save(file)

    def _refetch(self, file: HashedFile, block: int, limit: int) -> None:
        """Fetch one block again into its place."""
        start = block * self._state.block_bytes
        end = min(start + self._state.block_bytes, limit)
        at = start

        def mend(data: Piece) -> None:
            nonlocal at
            file.write_over(at, data)
            at += len(data)
            self._tell("repairing", at, "A part of the file was damaged and is fetched again.")

        try:
            self._pull(lambda: at, end, mend, at)
        except RangeIgnored:  # it can't be mended in place
            file.forget()
            raise _ChangedError from None

    def _pull(self, position: Callable[[], int], end: int, sink: Callable[[Piece], None], best: int) -> None:
        """Bring the bytes from `position()` up to `end`, through any number of broken connections.

        Raises HubError after too many tries that brought nothing beyond `best`.
        """
        tries = 0
        while position() < end:
            try:
                self._attempt(position(), end, sink)
            except HubError as error:
                if position() > best:
                    best, tries = position(), 0
                tries += 1
                if isinstance(error, DownloadPaused) or not error.retryable or tries >= self._options.tries:
                    raise
                if 0 < position() < end and self._state.breaks[-1:] != [position()]:
                    self._state.breaks.append(position())
                self._pause(error, tries, position())
                self._refresh_link()

    def _attempt(self, start: int, end: int, sink: Callable[[Piece], None]) -> None:
        whole = (start, end) == (0, self._target.size)
        # with a sha256 to check in the end, a storage that renamed its copy is no reason to lose bytes
        if_range = "" if self._target.sha256 else self._state.storage_etag
        response = self._session.open(self._target.link, start, None if whole else end, self._cancel, if_range)
        try:
            check_bytes(response, start, self._target.size, whole=whole)
            self._state.storage_etag = response.headers.get("etag", "")
            limit = self._owner.limit
            file = self._file
            for data in body(response, self._cancel, self._options.stall_s, lambda: file.room(limit.piece(READ_BYTES))):
                if not data:
                    self._tell_last()
                    continue
                if not limit.take(len(data), self._cancel):
                    raise Cancelled("Stopped.")
                sink(data)
        finally:
            response.close()

    # --- patience ---------------------------------------------------------------------------------------------
    def _patiently(self, ask: Callable[[], Resolved]) -> Resolved:
        tries = 0
        while True:
            try:
                return ask()
            except HubError as error:
                tries += 1
                if not error.retryable or tries >= self._options.tries:
                    raise
                self._pause(error, tries, 0)

    def _refresh_link(self) -> None:
        """A new signed link; and the moment to notice that the file was replaced."""
        fresh = self._patiently(self._resolve)
        if (fresh.etag, fresh.size) != (self._target.etag, self._target.size):
            raise _ChangedError
        self._target = replace(self._target, link=fresh.link)

    def _pause(self, error: HubError, tries: int, done: int) -> None:
        """Wait before the next try: exponentially longer, spread by chance, at least what the server asks for."""
        wait_s = min(self._options.backoff_max_s, self._options.backoff_s * 2 ** (tries - 1)) * random.uniform(0.5, 1)
        if error.status in (400, 401, 403, 410) and tries == 1:
            wait_s = 0.0  # an expired link: a new one works at once
        wait_s = max(wait_s, min(error.retry_after_s or 0, 900))
        message = f"{error.message} Next try in {wait_s:.0f} s." if wait_s >= 1 else error.message
        self._report(FileProgress("retrying", done, self._total, message, error))
        if self._cancel.wait(wait_s):
            raise Cancelled("Stopped.")

    # --- the end ----------------------------------------------------------------------------------------------
    def _verify(self, file: HashedFile) -> None:
        """Compare with the Hub's sha256; mend or fetch again what does not match. Raises ChecksumMismatch."""
        expected = self._target.sha256
        if not expected or file.hexdigest() == expected:
            return
        self._state.marks = list(file.marks)
        self._mend_suspects(file)
        if file.hexdigest() == expected:
            return
        file.forget()
        self._state.marks, self._state.breaks = [], []
        self._tell("repairing", 0, "The checksum does not match; fetching the file again.", always=True)
        self._pull_rest(file)
        if (found := file.hexdigest()) != expected:
            file.forget()
            raise ChecksumMismatch(
                f"{self._filename} arrived damaged twice: its checksum is not the one the Hub names.",
                hint="The copy on the Hub may be broken, or something on the way changes downloads. "
                "It was not kept; try again later or choose another quantisation.",
                detail=f"sha256 expected {expected}, got {found}",
            )

    def _mend_suspects(self, file: HashedFile) -> None:
        """Fetch the blocks again in which a transfer broke off: damage is likeliest there."""
        block_bytes = self._state.block_bytes
        suspects = sorted({at // block_bytes for b in self._state.breaks for at in (b - 1, b) if 0 <= at < file.size})
        if not suspects or len(suspects) * block_bytes > self._target.size * self._options.repair_share:
            return
        size = file.size
        for block in suspects:
            self._refetch(file, block, size)
        self._state.marks = []
        file.rewind()
        self._rehash(file, size)

    # --- keeping and telling ----------------------------------------------------------------------------------
    def _save(self, file: HashedFile) -> None:
        self._saved = time.monotonic()
        self._state.confirmed = file.size
        self._state.marks = list(file.marks)
        with in_plain_words(self._part):
            self._state.save(state_path(self._part))

    def _tell(self, phase: Phase, done: int, message: str = "", *, always: bool = False) -> None:
        now = time.monotonic()
        self._untold = FileProgress(phase, done, self._target.size, message)
        if always or now - self._told > _TELL_EVERY_S:
            self._told = now
            self._tell_last()

    def _tell_last(self) -> None:
        """What was not told because it followed too soon; else a stalled download would show an old number."""
        if self._untold is not None:
            progress, self._untold = self._untold, None
            self._report(progress)


def _flush(path: Path) -> None:
    """Let the finished file reach the disk soon, without making anyone wait for a slow one."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        os.fsync(file.fileno())
