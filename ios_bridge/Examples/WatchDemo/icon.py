"""The app icon, one heartbeat as a line, as a PNG: `python3 icon.py icon.png`. It needs Python alone."""

import math
import struct
import sys
import zlib
from pathlib import Path

SIZE = 1024  # pixels; Xcode scales it for every place
HALF_WIDTH = 22
INK, PAPER = bytes((255, 255, 255)), bytes((20, 110, 120))
WAVES = ((0.24, 0.035, 60), (0.40, 0.012, -70), (0.44, 0.014, 420), (0.48, 0.013, -130), (0.70, 0.05, 120))  # P Q R S T


def trace(x: float) -> float:
    """The row of the line in a column."""
    return 0.62 * SIZE - sum(height * math.exp(-0.5 * ((x / SIZE - at) / width) ** 2) for at, width, height in WAVES)


def main(path: str) -> None:
    """Draw the icon and write it."""
    rows = [bytearray(PAPER * SIZE) for _ in range(SIZE)]
    for x in range(SIZE):
        around = [(trace(x + step), math.sqrt(HALF_WIDTH**2 - step**2)) for step in range(-HALF_WIDTH + 1, HALF_WIDTH)]
        top, bottom = min(y - half for y, half in around), max(y + half for y, half in around)
        for y in range(max(0, int(top)), min(SIZE, int(bottom))):
            rows[y][3 * x : 3 * x + 3] = INK

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", SIZE, SIZE, 8, 2, 0, 0, 0)  # RGB: an icon must not be transparent
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    Path(path).write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b""))


if __name__ == "__main__":
    main(sys.argv[1])
