"""The same jobs on Ray: on this machine, or on a cluster. Needs the extra `ray`."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from forecast.errors import ConfigError
from forecast.nightly.engines import ONE_THREAD, POLL, Pause, died
from forecast.nightly.jobs import Job
from forecast.nightly.work import Outcome, failed, work

_RETRIES = 2
_REACH = 10.0
"""Seconds until a cluster that does not answer is given up."""


def ray_cluster(
    jobs: Iterable[Job],
    *,
    workers: int | None,
    address: str | None,
    memory: float,
    gpus: float,
    pause: Pause,
) -> Iterator[Outcome]:
    """A Ray task a job, tried again on another worker if its own dies.

    Args:
        jobs: Taken as a worker becomes free.
        workers: Tasks at once; None for the cluster's cores.
        address: Of a running cluster; None starts Ray on this machine and ends it again.
        memory: What a task reserves [GB].
        gpus: What a task reserves of a GPU; a fraction lets several share one.
        pause: When it says so the tasks are cancelled.

    Raises:
        ConfigError: if Ray is not installed, or no cluster answers at the address.
    """
    try:
        import ray
    except ImportError as error:
        raise ConfigError(
            "the engine 'ray' needs the ray package. It is not installed.",
            hint="pip install -e '.[ray]', or --engine local",
        ) from error
    with _connected(ray, address, workers):
        count = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        task = ray.remote(work).options(
            num_cpus=1, num_gpus=gpus, memory=int(memory * 1e9), max_retries=_RETRIES
        )
        waiting = iter(jobs)
        running: dict[Any, Job] = {}
        try:
            while not pause():
                while len(running) < count and (job := next(waiting, None)) is not None:
                    running[task.remote(job)] = job
                if not running:
                    return
                done, _ = ray.wait(list(running), num_returns=1, timeout=POLL)
                for reference in done:
                    job = running.pop(reference)
                    try:
                        outcome = ray.get(reference)
                    except ray.exceptions.RayError as error:
                        said = str(error).strip().splitlines()[-1]
                        reason = f"Ray says {type(error).__name__}: {said}"
                        outcome = failed(job, died(job.ticker, reason))
                    yield outcome
        finally:
            for reference in running:
                ray.cancel(reference, force=True)


@contextmanager
def _connected(ray: Any, address: str | None, workers: int | None) -> Iterator[None]:
    if ray.is_initialized():
        yield
        return
    if address is not None:
        _require_answer(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    options: dict[str, Any] = {} if address else {"num_cpus": workers, "include_dashboard": False}
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        ray.init(
            address or "local",
            runtime_env={"env_vars": ONE_THREAD},
            log_to_driver=False,
            logging_level=logging.ERROR,
            **options,
        )
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise _silent(address or "this machine", error) from error
    # Ray's own handler would leave at once; the night ends at its next safe point.
    if threading.current_thread() is threading.main_thread():
        for number, handler in handlers.items():
            signal.signal(number, handler)
    try:
        yield
    finally:
        ray.shutdown()


def _require_answer(address: str) -> None:
    """Ray would try for ten minutes."""
    try:
        parts = urlsplit(address if "://" in address else f"//{address}")
        if parts.hostname is None or parts.port is None:
            raise ValueError("It must be HOST:PORT")
        socket.create_connection((parts.hostname, parts.port), timeout=_REACH).close()
    except (OSError, ValueError) as error:
        raise _silent(address, error) from error


def _silent(address: str, error: Exception) -> ConfigError:
    return ConfigError(
        f"a Ray cluster must answer at {address}. {error}.", hint="ray status, or --engine local"
    )
