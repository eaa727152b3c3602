"""Parallel tasks: in processes of this machine by joblib, or on the workers of a Dask scheduler.

Each task has one thread: small matrices are slower with more, and add in another order. Tasks of a task run one after
another where it runs, so that a worker never starts processes of its own. The workers must see the same files as the
command, by the same paths.

Dask is driven here and not through joblib's own backend for it: with joblib 1.6 a task whose worker keeps dying gives
neither a result nor an error, so that the command waits for ever; one person would stop all others.
"""

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from tempfile import TemporaryDirectory
from threading import Lock, Thread, current_thread, main_thread
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky.process_executor import BrokenProcessPool
from threadpoolctl import threadpool_limits

from edge_ecg.errors import EdgeEcgError, first_line

if TYPE_CHECKING:
    from distributed import Client

Result = TypeVar("Result")
Job = tuple[Any, ...]
Lost = Callable[[Job], Any]
Runner = Callable[[Callable[..., Any], Any, Iterable[Job], Lost], Iterator[Any]]

WITHOUT_DASK = "a scheduler needs Dask: pip install -e '.[cohort]' in the clone"
IN_FLIGHT = 500  # tasks that the scheduler knows at once, so that its memory does not grow with their number
WATCH_S = 0.5  # between two looks at whether the parent lives
WAIT_S = 30  # for the scheduler, for its first worker, and for another one where all have died
LOOK_S = 0.05  # between two looks at whether a task is finished
_ONE_AT_A_TIME = Lock()  # in a process: torch has one generator, and a worker may have been given several threads


def _give_up(job: Job) -> Any:
    raise EdgeEcgError("the workers of a task keep dying, of too little memory perhaps")


def run_tasks(
    function: Callable[..., Result], shared: Any, jobs: Iterable[Job], lost: Callable[[Job], Result] = _give_up
) -> Iterator[Result]:
    """`function(shared, *job)` of every job, each result as it comes, where `tasks_on` says.

    shared: what all tasks need, sent to a worker once. A task whose Dask worker dies is done again by another one;
    lost: what stands for it where that happens again and again. Raises EdgeEcgError without it, and if a process of
    joblib dies; and whatever a task raises.
    """
    yield from _runner.get()(function, shared, jobs, lost)


@contextmanager
def tasks_on(scheduler: str | None = None, workers: int | None = None) -> Iterator[None]:
    """While the block runs, `run_tasks` runs on a Dask scheduler, by its address; else in processes by joblib.

    workers: so many processes of this machine [one a core].
    """

    def runner(function: Callable[..., Any], shared: Any, jobs: Iterable[Job], lost: Lost) -> Iterator[Any]:
        if scheduler is None:
            yield from _in_processes(function, shared, jobs, lost, workers)
        else:
            with connected(scheduler) as client:
                yield from _on_dask(client, function, shared, jobs, lost)

    with _running(runner):
        yield


@contextmanager
def local_cluster(workers: int | None) -> Iterator[str]:
    """The address of a Dask scheduler of this machine, with so many workers of one thread [one a core]."""
    require_dask()
    import dask
    from distributed import LocalCluster

    # Dask reports as errors what a command's end cancels, with tracebacks; what fails is raised as well.
    options = {"dashboard_address": "127.0.0.1:0", "host": "127.0.0.1", "silence_logs": "CRITICAL"}
    with (
        TemporaryDirectory() as scratch,  # Dask leaves a folder with its locks
        dask.config.set({"temporary-directory": scratch}),
    ):
        with _children_ignoring_ctrl_c():
            try:
                cluster = LocalCluster(n_workers=workers, threads_per_worker=1, processes=True, **options)
            except RuntimeError as error:  # such as of a worker that died while it started
                raise EdgeEcgError(f"no cluster could be started here: {first_line(error)}") from None
        with cluster:
            yield cluster.scheduler_address


@contextmanager
def _children_ignoring_ctrl_c() -> Iterator[None]:
    """Processes that start in the block inherit that they ignore Ctrl-C: the command alone takes it, and ends them."""
    if current_thread() is not main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def connected(scheduler: str) -> Iterator["Client"]:
    """A client of a scheduler that has a worker. Raises EdgeEcgError if there is none."""
    require_dask()
    import dask
    from distributed import Client

    try:
        client = Client(scheduler, timeout=WAIT_S, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        said = type(error).__name__ if isinstance(error, OSError) else error
        raise EdgeEcgError(f"{scheduler}: no Dask scheduler answers there ({said})") from None
    # What is shared is large on purpose, and goes to the scheduler once.
    with client, dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TB"}):
        try:
            client.wait_for_workers(1, timeout=WAIT_S)
        except TimeoutError:
            raise EdgeEcgError(
                f"{scheduler}: has no worker after {WAIT_S} s; start some with: dask worker {scheduler} --nthreads 1"
            ) from None
        yield client


def require_dask() -> None:
    """Raises EdgeEcgError where Dask is not installed."""
    try:
        import distributed  # noqa: F401
    except ImportError:
        raise EdgeEcgError(WITHOUT_DASK) from None


def _in_processes(
    function: Callable[..., Any], shared: Any, jobs: Iterable[Job], lost: Lost, workers: int | None = None
) -> Iterator[Any]:
    """In processes that are kept for the next call; if one dies, joblib can't tell whose task is lost."""
    ends = {"initializer": _end_with, "initargs": (os.getpid(),)}
    with parallel_config("loky", n_jobs=workers or -1, inner_max_num_threads=1, **ends):
        calls = (delayed(_task)(function, shared, job) for job in jobs)
        try:
            yield from Parallel(return_as="generator_unordered", max_nbytes=None)(calls)
        except BrokenProcessPool:  # of a process that dies at work, or while it starts
            raise EdgeEcgError(
                "a process at work died, of too little memory perhaps; run the command again, train with --resume"
            ) from None


def _one_after_another(function: Callable[..., Any], shared: Any, jobs: Iterable[Job], lost: Lost) -> Iterator[Any]:
    for job in jobs:
        yield function(shared, *job)


def _on_dask(
    client: "Client", function: Callable[..., Any], shared: Any, jobs: Iterable[Job], lost: Lost
) -> Iterator[Any]:
    from distributed import KilledWorker, as_completed

    # A task and not a scattered value: if the worker that holds it dies, another one makes it again.
    kept = client.submit(_itself, shared, pure=False)
    left, job_of, doubtful = iter(jobs), {}, []
    running = as_completed(loop=client.loop)

    def submit(most: int) -> None:
        for job in islice(left, most):
            future = client.submit(_task, function, kept, job, pure=False)
            job_of[future.key] = job
            running.add(future)

    submit(IN_FLIGHT)
    for future in _finished(client, running):
        job = job_of.pop(future.key)
        submit(1)
        try:
            yield future.result()
        except KilledWorker:
            doubtful.append(job)
    # A death is held against every task that its worker had: each of them once more, alone.
    for job in doubtful:
        running.add(client.submit(_task, function, shared, job, pure=False))
        for future in _finished(client, running):
            try:
                yield future.result()
            except KilledWorker:
                yield lost(job)


def _finished(client: "Client", running: Any) -> Iterator[Any]:
    """Futures as they finish. Raises EdgeEcgError once the scheduler has had no worker for a while.

    Dask itself would wait for one forever, as where each dies of too little memory while it starts.
    """
    seen = time.monotonic()
    while not running.is_empty():
        if running.has_ready():
            yield next(running)
            seen = time.monotonic()
            continue
        time.sleep(LOOK_S)
        if client.scheduler_info()["workers"]:
            seen = time.monotonic()
        elif time.monotonic() - seen > WAIT_S:
            raise EdgeEcgError(
                f"the scheduler has had no worker for {WAIT_S} s: they died, of too little memory perhaps; "
                "start some and run the command again"
            )


def _end_with(parent: int) -> None:
    """From now on this process ends when its parent does.

    It would otherwise wait for tasks forever, since it holds the writing end of its own pipe itself.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(WATCH_S)
        os._exit(1)

    Thread(target=watch, daemon=True).start()


def _itself(value: Result) -> Result:
    return value


def _task(function: Callable[..., Result], shared: Any, job: Job) -> Result:
    """One task where it runs."""
    with _ONE_AT_A_TIME, threadpool_limits(1), _running(_one_after_another):
        torch.set_num_threads(1)
        return function(shared, *job)


@contextmanager
def _running(runner: Runner) -> Iterator[None]:
    token = _runner.set(runner)
    try:
        yield
    finally:
        _runner.reset(token)


_runner: ContextVar[Runner] = ContextVar("runner", default=_in_processes)
