"""Rows of Parquet and Arrow files, some hundred at a time.

Owns nothing but the reading; pyarrow is imported when it is needed. Refuses to know what the rows mean.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from academy_desktop.core.datasets.inflating import ALWAYS_BYTES, MOST_TIMES

_BATCH_ROWS = 512


def read_parquet(source: bytes | Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a Parquet file.

    Raises:
        ValueError: it is damaged.
    """
    import pyarrow
    from pyarrow import parquet

    try:
        with _opened(source) as opened, parquet.ParquetFile(opened) as file:
            _refuse_bombs(file.metadata)
            yield from _rows(file.iter_batches(_BATCH_ROWS))
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(_first_line(error)) from error


def _refuse_bombs(metadata: Any) -> None:
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        packed = sum(group.column(place).total_compressed_size for place in range(group.num_columns))
        if group.total_byte_size > max(ALWAYS_BYTES, MOST_TIMES * packed):
            raise ValueError("it unpacks to far more than its own size")


def read_arrow(source: bytes | Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of an Arrow file, an Arrow stream or a Feather file.

    Raises:
        ValueError: it is damaged.
    """
    import pyarrow

    try:
        with _opened(source) as opened:
            is_file = opened.read(6) == b"ARROW1"
            opened.seek(0)
            if is_file:
                with pyarrow.ipc.open_file(opened) as file:
                    yield from _rows(file.get_batch(number) for number in range(file.num_record_batches))
            else:
                with pyarrow.ipc.open_stream(opened) as stream:
                    yield from _rows(stream)
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(_first_line(error)) from error


def _opened(source: bytes | Path) -> IO[bytes]:
    return io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")


def _rows(batches: Iterable[Any]) -> Iterator[dict[str, Any]]:
    for batch in batches:
        for start in range(0, batch.num_rows, _BATCH_ROWS):
            yield from batch.slice(start, _BATCH_ROWS).to_pylist()


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
