"""What can go wrong with the Hub and with downloads."""

from __future__ import annotations

from workbench.core.errors import RemoteError


class HubError(RemoteError):
    """The Hub or its storage refused, broke off or could not be reached."""

    kind = "hub_error"


class Offline(HubError):
    """Offline mode is on; nothing was sent."""

    kind = "offline"

    def __init__(self, what: str = "This") -> None:
        super().__init__(
            f"{what} needs the network, and offline mode is on.",
            hint="Switch offline mode off in Settings > Network (or unset HF_HUB_OFFLINE).",
        )


class GatedRepo(HubError):
    """The repository's owner wants to be asked first."""

    kind = "gated"

    def __init__(self, repo_id: str, access_url: str, *, has_token: bool, detail: str = "") -> None:
        how = (
            f"Open {access_url}, accept the terms, and try again once access was granted."
            if has_token
            else f"Open {access_url} and accept the terms, then add an access token in Settings (or HF_TOKEN)."
        )
        super().__init__(
            f"{repo_id} is gated: its owner grants access on request.", hint=how, detail=detail, status=403
        )
        self.repo_id = repo_id
        self.access_url = access_url
        self.has_token = has_token


class BadToken(HubError):
    """The Hub does not know the token, or the repository needs one."""

    kind = "bad_token"


class RepoNotFound(HubError):
    """No such repository, revision or file, or it is private."""

    kind = "not_found"


class DownloadPaused(HubError):
    """The download can't go on now, and what is here is kept: disk full, read-only folder, network gone."""

    kind = "paused"


class DiskFull(DownloadPaused):
    kind = "disk_full"


class FolderNotWritable(DownloadPaused):
    kind = "read_only"


class BusyElsewhere(DownloadPaused):
    """Another process downloads the same file."""

    kind = "busy"


class ChecksumMismatch(HubError):
    """All bytes came, and they are not what the Hub says they should be. The file was not filed."""

    kind = "checksum"
