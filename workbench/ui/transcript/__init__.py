"""The transcript: a virtualised view of a conversation that streams without stalling the window."""

from workbench.ui.transcript.items import Action, ItemRole, TranscriptItem
from workbench.ui.transcript.ticker import StreamTicker
from workbench.ui.transcript.view import TranscriptView

__all__ = ["Action", "ItemRole", "StreamTicker", "TranscriptItem", "TranscriptView"]
