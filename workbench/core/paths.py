"""Where the program keeps its files. `WORKBENCH_HOME` moves all of them under one folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

APP = "model-workbench"


class Paths(NamedTuple):
    config: Path
    data: Path
    logs: Path
    cache: Path

    @classmethod
    def of_user(cls) -> Paths:
        home = os.environ.get("WORKBENCH_HOME")
        if home:
            root = Path(home).expanduser().absolute()
            return cls(root, root, root / "logs", root / "cache")
        import platformdirs  # noqa: PLC0415 - 3 ms before the first paint, where the home folder is not given

        return cls(
            Path(platformdirs.user_config_dir(APP, appauthor=False)),
            Path(platformdirs.user_data_dir(APP, appauthor=False)),
            Path(platformdirs.user_log_dir(APP, appauthor=False)),
            Path(platformdirs.user_cache_dir(APP, appauthor=False)),
        )

    @property
    def database(self) -> Path:
        return self.data / "workbench.db"

    @property
    def backups(self) -> Path:
        return self.data / "backups"

    @property
    def settings(self) -> Path:
        return self.config / "settings.json"

    @property
    def ui_state(self) -> Path:
        """What the window remembers between starts."""
        return self.config / "ui-state.json"

    @property
    def keys_file(self) -> Path:
        return self.config / "keys.json"

    @property
    def models(self) -> Path:
        return self.data / "models"

    @property
    def drafts(self) -> Path:
        """Files attached to prompts that were not sent yet."""
        return self.data / "drafts"

    @property
    def plugins(self) -> Path:
        return self.data / "plugins"

    @property
    def crash_reports(self) -> Path:
        return self.logs / "crashes"

    def create(self) -> None:
        for folder in (self.config, self.data, self.logs, self.cache):
            folder.mkdir(parents=True, exist_ok=True)


def bundled(name: str) -> Path:
    """A folder that ships with the program (`resources` or `plugins`), from a checkout, a wheel or a frozen build."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "_bundled" / name
    return inside if inside.is_dir() else package.parent / name
