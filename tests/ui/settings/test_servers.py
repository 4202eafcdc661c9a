"""Servers of other programs on this machine: found when the user looks for them, then there to be asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.providers.doubles import CHAT, Double, Script
from tests.ui.driver import Driver


def test_a_server_is_found_and_its_models_can_be_chosen(home: Path, start: Callable[..., Driver]) -> None:
    listed = json.dumps({"object": "list", "data": [{"id": "qwen3-8b", "object": "model"}]}).encode()
    with Double(Script(body=listed)) as double:
        entry = {"kind": "lmstudio", "base_url": double.url + CHAT.path}
        home.mkdir(exist_ok=True)
        (home / "settings.json").write_text(json.dumps({"providers": {"lmstudio": entry}}))
        driver = start()
        driver.window.show_part("settings", "providers")
        section: Any = driver.window.page("settings").show_part("providers")
        driver.wait(lambda: "lmstudio" in section.cards)
        assert double.seen == []
        driver.click(section.find_servers)
        driver.wait(lambda: section.find_servers.isEnabled() and driver.program.jobs.pending == 0)
        assert [seen.path for seen in double.seen] == ["/v1/models"]
        assert "qwen3-8b" in section.cards["lmstudio"].result.text()
        page = driver.window.show_place("compare")
        driver.wait(lambda: any(info.id == "lmstudio:qwen3-8b" for info in page.state.models))
