"""The transcript: a virtualised view of a conversation that streams without stalling the window."""

from workbench.ui.transcript.items import Action, ItemRole, TranscriptItem
from workbench.ui.transcript.ticker import StreamTicker

__all__ = ["Action", "ItemRole", "StreamTicker", "TranscriptItem"]
