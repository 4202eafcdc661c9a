"""The devices of this machine as the llama.cpp in our own child sees them. Blocks for about a second. No Qt."""

from __future__ import annotations

import subprocess
import threading
from typing import Any

import msgspec

from workbench.engine.client import default_command
from workbench.engine.protocol import Hello, decode_reply
from workbench.services.experience import Experience
from workbench.services.fit import Machine

HELLO_TIMEOUT_S = 20.0


def engine_devices(command: list[str] | None = None) -> list[dict[str, Any]]:
    """Start a child, hear its greeting and let it go. Empty where it can't be started."""
    try:
        child = subprocess.Popen(
            command or default_command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError:
        return []
    too_long = threading.Timer(HELLO_TIMEOUT_S, child.kill)
    too_long.start()
    try:
        assert child.stdout is not None
        reply = decode_reply(child.stdout.readline())
        return list(reply.backends) if isinstance(reply, Hello) else []
    except msgspec.DecodeError:  # it died before it said anything
        return []
    finally:
        too_long.cancel()
        child.communicate()  # closes stdin, at which it ends


def this_machine(experience: Experience) -> Machine:
    """RAM, GPUs and bandwidth, for `fit.judge`."""
    return Machine.here(engine_devices(), bandwidth_bytes_per_s=experience.bandwidth())
