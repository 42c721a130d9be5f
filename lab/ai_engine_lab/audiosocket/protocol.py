"""AudioSocket's packets, as Asterisk speaks them over TCP: a pure codec, with bounds.

A packet is a kind (one byte), the payload's length (two bytes, big endian) and the payload. What
comes from outside is refused as soon as its header shows that it can't be right, so that a decoder
never holds more than one chunk and one packet. After a refusal nothing that follows can be trusted:
the decoder refuses for good.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

HEADER_BYTES: Final = 3
UUID_BYTES: Final = 16
MAX_ERROR_BYTES: Final = 255
MAX_AUDIO_SECONDS: Final = 0.2
"""Audio in one packet at most: ten frames. Asterisk itself never packs more than 70 ms of it."""
DIGITS: Final = "0123456789*#ABCDabcd"
_MAX_PAYLOAD: Final = 0xFFFF


class Kind(IntEnum):
    """What a packet is."""

    HANG_UP = 0x00
    UUID = 0x01
    DTMF = 0x03
    SLIN8 = 0x10
    SLIN12 = 0x11
    SLIN16 = 0x12
    SLIN24 = 0x13
    SLIN32 = 0x14
    SLIN44 = 0x15
    SLIN48 = 0x16
    SLIN96 = 0x17
    SLIN192 = 0x18
    ERROR = 0xFF


AUDIO_RATES: Final = {
    Kind.SLIN8: 8_000,
    Kind.SLIN12: 12_000,
    Kind.SLIN16: 16_000,
    Kind.SLIN24: 24_000,
    Kind.SLIN32: 32_000,
    Kind.SLIN44: 44_100,
    Kind.SLIN48: 48_000,
    Kind.SLIN96: 96_000,
    Kind.SLIN192: 192_000,
}
"""Samples per second of the kinds that carry audio: signed linear 16 bit, little endian, mono."""


def _most_audio(rate: int) -> int:
    return min(_MAX_PAYLOAD - 1, 2 * round(rate * MAX_AUDIO_SECONDS))


_LENGTHS: Final[dict[Kind, tuple[int, int]]] = {
    Kind.HANG_UP: (0, 0),
    Kind.UUID: (UUID_BYTES, UUID_BYTES),
    Kind.DTMF: (1, 1),
    Kind.ERROR: (0, MAX_ERROR_BYTES),
    **{kind: (2, _most_audio(rate)) for kind, rate in AUDIO_RATES.items()},
}
"""The least and the most bytes of payload."""


class ProtocolFault(StrEnum):
    """Why a packet is refused."""

    UNKNOWN_KIND = "unknown_kind"
    OVERSIZED = "oversized"
    WRONG_LENGTH = "wrong_length"
    NO_DIGIT = "no_digit"
    TRUNCATED = "truncated"


class ProtocolError(ValueError):
    """Bytes that are no AudioSocket; `fault` says in which way."""

    def __init__(self, fault: ProtocolFault, detail: str) -> None:
        super().__init__(f"{fault}: {detail}")
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet that keeps to the protocol; any other raises `ProtocolError`."""

    kind: Kind
    payload: bytes = b""

    def __post_init__(self) -> None:
        _check_length(self.kind, len(self.payload))
        if self.kind is Kind.DTMF and chr(self.payload[0]) not in DIGITS:
            raise ProtocolError(
                ProtocolFault.NO_DIGIT, f"{self.payload!r} is no key of a telephone"
            )

    @property
    def seconds(self) -> float:
        """How long its audio lasts; 0 for what is no audio."""
        return len(self.payload) / 2 / AUDIO_RATES[self.kind] if self.kind in AUDIO_RATES else 0.0

    def encode(self) -> bytes:
        """The packet as it goes over the wire."""
        return bytes([self.kind]) + len(self.payload).to_bytes(2, "big") + self.payload


def greeting(call_id: uuid.UUID) -> Packet:
    """The packet that opens a connection, and says which call it belongs to."""
    return Packet(Kind.UUID, call_id.bytes)


def digit(key: str) -> Packet:
    """A key that was pressed."""
    return Packet(Kind.DTMF, key.encode("ascii"))


class Decoder:
    """Packets out of a stream of bytes, however it is cut into chunks."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._refused: ProtocolError | None = None

    @property
    def pending(self) -> int:
        """Bytes that wait for the rest of their packet, or to be taken."""
        return len(self._data)

    def feed(self, chunk: bytes) -> None:
        """Add what arrived; nothing is kept after a refusal."""
        if self._refused is None:
            self._data += chunk

    def take(self) -> Packet | None:
        """The next packet, or None until more has arrived; raises `ProtocolError`."""
        if self._refused is not None:
            raise self._refused
        try:
            return self._next()
        except ProtocolError as refusal:
            self._refused = refusal
            self._data.clear()
            raise

    def finish(self) -> None:
        """No more will come: raises `ProtocolError` when that is in the middle of a packet."""
        if self._refused is None and self._data:
            self._refused = ProtocolError(
                ProtocolFault.TRUNCATED, f"the stream ended {len(self._data)} bytes into a packet"
            )
        if self._refused is not None:
            raise self._refused

    def _next(self) -> Packet | None:
        data = self._data
        if not data:
            return None
        kind = _kind(data[0])
        if len(data) < HEADER_BYTES:
            return None
        length = int.from_bytes(data[1:HEADER_BYTES], "big")
        _check_length(kind, length)
        end = HEADER_BYTES + length
        if len(data) < end:
            return None
        packet = Packet(kind, bytes(data[HEADER_BYTES:end]))
        del data[:end]
        return packet


def _kind(value: int) -> Kind:
    try:
        return Kind(value)
    except ValueError:
        raise ProtocolError(
            ProtocolFault.UNKNOWN_KIND, f"0x{value:02x} is no kind of packet"
        ) from None


def _check_length(kind: Kind, length: int) -> None:
    """Refuse a length that a packet of this kind can't have."""
    least, most = _LENGTHS[kind]
    if length > most:
        raise ProtocolError(
            ProtocolFault.OVERSIZED, f"{kind.name} of {length} bytes, at most {most}"
        )
    if length < least or (kind in AUDIO_RATES and length % 2):
        raise ProtocolError(ProtocolFault.WRONG_LENGTH, f"{kind.name} of {length} bytes")


HANG_UP: Final = Packet(Kind.HANG_UP)
