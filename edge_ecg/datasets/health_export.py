"""Records of Apple's `export.xml`, read as a stream: hundreds of MB in a few.

No parser of XML: since iOS 16 the document's own declaration is malformed, and the entities of a stranger's file must
not unfold.
"""

import html
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from edge_ecg.errors import DatasetError
from edge_ecg.storage.files import opened_zip, plain_handle

CHUNK_BYTES = 1 << 20
MOST_TAG_BYTES = 1 << 16

_TAG = re.compile(rb'<Record((?:\s+[\w ]+="[^"]*")*)\s*/?>')
_ATTRIBUTE = re.compile(rb'([\w ]+?)="([^"]*)"')

Progress = Callable[[Iterable[bytes], int], Iterable[bytes]]  # passes chunks on; gets how many there are


@contextmanager
def health_chunks(path: Path, progress: Progress) -> Iterator[Iterable[bytes]]:
    """The bytes of export.xml, which each language names otherwise, in chunks."""
    with open(plain_handle(path, DatasetError), "rb") as plain:  # noqa: PTH123
        if not _is_zip(plain.read(4)):
            plain.seek(0, io.SEEK_END)
            size = plain.tell()
            plain.seek(0)
            yield progress(_chunks_of(plain), -(-size // CHUNK_BYTES))
            return
    with opened_zip(path, DatasetError) as archive:
        for info in archive.infolist():
            if info.filename.lower().endswith(".xml") and not info.flag_bits & 1:
                head = next(_chunks(archive, info, path), b"")
                if is_health_export(head):
                    yield progress(_chunks(archive, info, path), -(-info.file_size // CHUNK_BYTES))
                    return
    raise DatasetError(f"{path}: has no export.xml of the Health app in it")


def _chunks(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> Iterator[bytes]:
    """A member in chunks. Raises DatasetError."""
    try:
        with archive.open(info) as stream:
            yield from _chunks_of(stream)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError, OSError):
        raise DatasetError(f"{path}: is damaged; export it from the Health app again") from None


def _chunks_of(stream: IO[bytes]) -> Iterator[bytes]:
    return iter(lambda: stream.read(CHUNK_BYTES), b"")


def health_records(chunks: Iterable[bytes], health_type: str, path: Path) -> Iterator[dict[str, str]]:
    """The attributes of each Record of a type. A tag may lie across two chunks."""
    marker, rest = f'type="{health_type}"'.encode(), b""
    for chunk in chunks:
        data, start = rest + chunk, 0
        while (at := data.find(marker, start)) >= 0:
            begin = data.rfind(b"<", start, at)  # in an attribute it would be `&lt;`
            tag = _TAG.match(data, begin) if begin >= 0 else None
            if tag:
                pairs = _ATTRIBUTE.findall(tag[1])
                yield {key.decode().strip(): html.unescape(value.decode(errors="replace")) for key, value in pairs}
                start = tag.end()
            elif data.startswith(b"<Record", begin) and data.find(b">", at) < 0:
                break  # its end comes with the next chunk
            else:
                start = at + len(marker)
        rest = data[max(start, data.rfind(b"<")) :]
        if len(rest) > MOST_TAG_BYTES:
            raise DatasetError(f"{path}: has an element of more than {MOST_TAG_BYTES:,} bytes; no export.xml has one")


def is_health_export(head: bytes) -> bool:
    """Whether a file begins like Apple's export.xml, or like a zip, which may contain one."""
    return b"HealthData" in head or _is_zip(head)


def _is_zip(head: bytes) -> bool:
    return head.startswith(b"PK\x03\x04")
