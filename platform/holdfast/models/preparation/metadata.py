"""Encoded images without what they say beside their pixels, for when that is damaged."""

import struct

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_JPEG_SCAN = 0xDA
_JPEG_DROPPED = frozenset({*range(0xE1, 0xEE), 0xEF, 0xFE})
"""APP1 to APP13, APP15 and comments. APP0 and APP14 say how the colours are meant."""
_WEBP_DROPPED = frozenset({b"EXIF", b"XMP ", b"ICCP"})
_WEBP_FLAGS = 0x20 | 0x08 | 0x04
"""Of the header: there is a profile, there are EXIF data, there are XMP data."""


def without_metadata(content: bytes) -> bytes | None:
    """The same PNG, JPEG or WebP file without text, profiles, EXIF data, thumbnails; None for anything else.

    What follows a part that is cut off is kept as it is.
    """
    if content.startswith(_PNG):
        return _png(content)
    if content.startswith(b"\xff\xd8\xff"):
        return _jpeg(content)
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return _webp(content)
    return None


def _png(content: bytes) -> bytes:
    kept, at = [_PNG], len(_PNG)
    while at + 12 <= len(content):
        end = at + 12 + int(struct.unpack_from(">I", content, at)[0])
        if content[at + 4 : at + 8] in _PNG_KEPT:
            kept.append(content[at:end])
        at = end
    return b"".join([*kept, content[at:]])


def _jpeg(content: bytes) -> bytes:
    kept, at = [content[:2]], 2
    while at + 4 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker == 0xFF:  # Padding.
            at += 1
            continue
        if marker == _JPEG_SCAN:
            break
        end = at + 2 + int(struct.unpack_from(">H", content, at + 2)[0])
        if marker not in _JPEG_DROPPED:
            kept.append(content[at:end])
        at = end
    return b"".join([*kept, content[at:]])


def _webp(content: bytes) -> bytes:
    kept, at = [], 12
    while at + 8 <= len(content):
        size = int(struct.unpack_from("<I", content, at + 4)[0])
        end = at + 8 + size + size % 2
        kind, chunk = content[at : at + 4], content[at:end]
        if kind == b"VP8X" and len(chunk) > 8:
            chunk = chunk[:8] + bytes([chunk[8] & ~_WEBP_FLAGS]) + chunk[9:]
        if kind not in _WEBP_DROPPED:
            kept.append(chunk)
        at = end
    body = b"".join(kept)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body
