"""Ray Serve with N replicas of the embedded llama.cpp behind one address.

Run by the interpreter of Ray's environment, which does not contain Paceline: `python ray_app.py
--model FILE.gguf --replicas N --port P --slots S --context C --wait W`. Ray routes a request to the
least busy replica, and llama.cpp's response is passed through unchanged. With a wait, each slot of
a replica sleeps that long before it works on a request, without using the CPU, as if the model ran
on its own device. `/health` returns 200 when every replica is ready. SIGTERM ends it together with
Ray's processes.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import secrets
import signal
import tempfile
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

os.environ |= {  # read by Ray when it is imported, and by the processes that it starts
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_enable_metrics_collection": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # no cluster: its ports are on 127.0.0.1 only
    "RAY_AUTH_TOKEN": secrets.token_hex(32),  # otherwise Ray writes one into the home folder
}

import httpx
import ray
import xllamacpp
from ray import serve
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

NAME = "paceline"
STOP = (signal.SIGTERM, signal.SIGINT)
MAX_QUEUE = 100_000  # requests a replica takes at once: they wait in llama.cpp, not in Ray
WORK = ("/v1/chat/completions", "/v1/completions")
STORE_BYTES = 80 * 2**20  # Ray's object store, near its minimum: nothing large passes through it


class Replica:
    """A llama.cpp server on a free port, and a client of it."""

    def __init__(
        self, model: str, name: str, slots: int, context: int, threads: int, wait_s: float
    ) -> None:
        self.wait_s = wait_s
        self.slots = asyncio.Semaphore(slots)
        self.server = xllamacpp.Server(_parameters(model, name, slots, context, threads))
        self.client = httpx.AsyncClient(
            base_url=self.server.listening_address,
            timeout=None,
            trust_env=False,
            limits=httpx.Limits(max_connections=None),
        )

    async def __call__(self, request: Request) -> Response:
        if request.url.path == "/health":
            return await asyncio.to_thread(_health)
        forwarded = self.client.build_request(
            request.method,
            request.url.path,
            content=await request.body(),
            headers={"content-type": request.headers.get("content-type", "application/json")},
        )
        if request.url.path not in WORK or not self.wait_s:
            return PassedThrough(await self.client.send(forwarded, stream=True))
        await self.slots.acquire()
        try:
            await asyncio.sleep(self.wait_s)
            answer = await self.client.send(forwarded, stream=True)
            return PassedThrough(answer, self.slots.release)
        except BaseException:  # also if cancelled
            self.slots.release()
            raise


class PassedThrough(StreamingResponse):
    """llama.cpp's response, unchanged. `done` is called when it has ended or the client is gone."""

    def __init__(self, answer: httpx.Response, done: Callable[[], None] = lambda: None) -> None:
        kind = answer.headers["content-type"]
        super().__init__(_pass_through(answer), answer.status_code, media_type=kind)
        self.done = done

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.done()


async def _pass_through(answer: httpx.Response) -> AsyncIterator[bytes]:
    """Yield the response's bytes. A client that hangs up closes this generator and the request, so
    that llama.cpp stops generating."""
    try:
        async for piece in answer.aiter_raw():
            yield piece
    finally:
        await answer.aclose()


def _health() -> Response:
    status = serve.status().applications[NAME].status
    return JSONResponse({"status": status}, 200 if status == "RUNNING" else 503)


def _parameters(model: str, name: str, slots: int, context: int, threads: int) -> Any:
    params = xllamacpp.CommonParams()
    params.model.path = model
    params.model_alias = {name}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_parallel = slots
    params.n_ctx = slots * context
    params.cpuparams.n_threads = threads
    params.n_threads_http = slots + 32  # one thread per connection, also for queued requests
    params.cache_prompt = False
    params.cache_ram_mib = 0
    params.verbosity = 0
    params.ui = False
    return params


def main(args: argparse.Namespace) -> int:
    """Run Ray in a child process and return its exit code. If the raylet ends first, Ray kills the
    child at once, and this process still cleans up."""
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        work = multiprocessing.get_context("fork").Process(
            target=serve_until_stopped, args=(args, folder)
        )
        work.start()
        for number in STOP:
            signal.signal(number, lambda *_: work.terminate())
        work.join()
        return work.exitcode or 0


def serve_until_stopped(args: argparse.Namespace, folder: str) -> None:
    """Start Ray, on this machine only, and the replicas; return at SIGTERM or SIGINT."""
    _start(folder)
    try:
        stop = _stop_event()
        serve.start(http_options={"host": "127.0.0.1", "port": args.port})
        serve.run(_application(args), name=NAME, route_prefix="/")
        stop.wait()
        serve.shutdown()
    finally:
        ray.shutdown()


def _start(folder: str) -> None:
    ray.init(
        address="local",
        num_cpus=1,
        object_store_memory=STORE_BYTES,
        include_dashboard=False,
        _node_ip_address="127.0.0.1",
        _temp_dir=folder,
        runtime_env={"worker_process_setup_hook": listen_here_only},
    )


def _stop_event() -> threading.Event:
    """Return an event that the signals set, instead of Ray's handler, which exits at once."""
    stop = threading.Event()
    for number in STOP:
        signal.signal(number, lambda *_: stop.set())
    return stop


def listen_here_only() -> None:
    """Bind Serve's port between replicas, which accepts pickled calls from anyone, to 127.0.0.1.
    Runs in each process of Ray, which has no setting for it (`_start_internal_grpc_server`)."""
    from ray.serve._private import replica

    add = replica.add_port_to_grpc_server
    replica.add_port_to_grpc_server = lambda server, address: add(
        server, address.replace("[::]", "127.0.0.1")
    )


def _application(args: argparse.Namespace) -> serve.Application:
    threads = max(1, len(os.sched_getaffinity(0)) // args.replicas)
    deployment = serve.deployment(
        num_replicas=args.replicas,
        max_ongoing_requests=MAX_QUEUE,
        max_constructor_retry_count=1,  # a model that fails to load will fail again
        ray_actor_options={"num_cpus": 0},  # Paceline limits the replicas itself
    )(Replica)
    return deployment.bind(args.model, args.name, args.slots, args.context, threads, args.wait)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="a GGUF file")
    parser.add_argument(
        "--name", default="smollm2-135m-instruct", help="name of the model in requests"
    )
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--slots", type=int, default=8, help="concurrent sequences per replica")
    parser.add_argument(
        "--context", type=int, default=2048, help="context length of each in tokens"
    )
    parser.add_argument("--wait", type=float, default=0.0, help="seconds before each request")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main(arguments()))
