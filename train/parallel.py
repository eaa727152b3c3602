"""Work in parallel processes, each with one thread: small matrices are slower with more, and add in another order."""

from collections.abc import Iterable, Iterator
from typing import Any

from joblib import Parallel, parallel_config


def in_processes(jobs: Iterable[Any]) -> Iterator[Any]:
    """The results of `joblib.delayed` calls as they come, from processes that are kept for the next call."""
    with parallel_config("loky", n_jobs=-1, inner_max_num_threads=1):
        yield from Parallel(return_as="generator_unordered", max_nbytes=None)(jobs)
