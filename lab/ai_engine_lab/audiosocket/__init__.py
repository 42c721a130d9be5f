"""AudioSocket, Asterisk's way to hand a call's audio to a program over TCP.

`take_calls` lets a `ReferenceEngine` answer such calls; `call_engine` places one. The engine knows
nothing of this package: it is given the server.
"""

from ai_engine_lab.audiosocket.client import AudioSocketClient, HeardCall, call_engine
from ai_engine_lab.audiosocket.connection import AudioSocketSettings, ConnectionEnding
from ai_engine_lab.audiosocket.protocol import Kind, Packet
from ai_engine_lab.audiosocket.server import AudioSocketServer, take_calls

__all__ = [
    "AudioSocketClient",
    "AudioSocketServer",
    "AudioSocketSettings",
    "ConnectionEnding",
    "HeardCall",
    "Kind",
    "Packet",
    "call_engine",
    "take_calls",
]
