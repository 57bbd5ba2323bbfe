"""The benchmarks run, and measure what they say; never how long it takes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from benchmarks import answers, harness, instructions, ours, parts, report, views
from benchmarks.__main__ import main
from benchmarks.field import SUBJECTS, measured, why_not
from benchmarks.payloads import PAYLOADS, Payload, of_size, reply
from benchmarks.plots import plot
from benchmarks.subjects import Contender, Subject

#: Of everything as little as there can be.
TINY = parts.Effort(
    rounds=2,
    scale_rounds=2,
    import_rounds=1,
    imports=("flask_clustaar",),
    deliveries=20,
    stride=3,
    block=1e-6,
)

# Ignore warnings of other libraries.
pytestmark = pytest.mark.filterwarnings("ignore")

per_payload = pytest.mark.parametrize("payload", list(PAYLOADS))


@per_payload
@pytest.mark.parametrize("subject", measured(), ids=lambda subject: subject.name)
def test_each_subject_answers_its_deliveries(subject: Subject, payload: str) -> None:
    """Every subject accepts the requests."""
    contender = subject.build(PAYLOADS[payload])
    assert contender.serve(contender.deliver_many(range(3))) == ["200 OK"] * 3


@per_payload
@pytest.mark.parametrize(
    "build",
    [views.by_hand, views.bare, ours.everything],
    ids=lambda build: build.__name__,
)
def test_answers_are_the_same(build: Callable[..., Contender], payload: str) -> None:
    """All compared subjects answer the same as the plain view."""
    contender = build(PAYLOADS[payload])
    _, _, body = contender.answer(contender.deliver(1))
    assert json.loads(body) == reply(PAYLOADS[payload])


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("HTTP_AUTHORIZATION", "Basic Ym90OmVycm9y", 401),
        ("HTTP_X_HUB_SIGNATURE", "sha1=" + "0" * 40, 403),
        ("HTTP_DATE", "Thu, 13 Sep 2018 11:48:23 GMT", 403),
    ],
)
def test_view_by_hand_checks(header: str, value: str, status: int) -> None:
    """The plain view rejects everything that the extension rejects."""
    payload = PAYLOADS["small"]
    for contender in (views.by_hand(payload), ours.everything(payload)):
        delivery = contender.deliver(1) | {header: value}
        assert contender.answer(delivery)[0].startswith(f"{status} ")


def test_deliveries_differ() -> None:
    """No delivery is a replay of another one."""
    contender = ours.everything(PAYLOADS["small"])
    one, other = contender.deliver_many([1, 2])
    assert one["HTTP_X_HUB_SIGNATURE"] != other["HTTP_X_HUB_SIGNATURE"]


@pytest.mark.parametrize("size", [1_000, 3_000, 10_000, 100_000, 1_000_000])
def test_size_of_payload(size: int) -> None:
    """A notification of a size has it, within what one action takes."""
    assert size <= len(of_size(size).template().body(0)) < size + 300


def test_failing_contender_is_not_measured() -> None:
    """An answer other than 200 stops the run, because rejections are fast."""
    contender = ours.everything(PAYLOADS["small"])
    stranger = contender._replace(sign=lambda body: {})
    with pytest.raises(RuntimeError, match="401 "):
        harness.race({"stranger": stranger}, rounds=2)


def test_cost_is_measured_by_rounds() -> None:
    """A multiple is the median of the ratios within a round, not of the medians."""
    samples = harness.Samples({"a": [2.0, 30.0, 4.0], "b": [1.0, 10.0, 4.0]})
    cost = samples.cost("a", "b")
    assert (cost.cpu, cost.ratio) == (4.0, 2.0)
    assert cost.low < cost.ratio < cost.high


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """The results of a run without the instructions."""
    names = [name for name in parts.PARTS if name != "instructions"]
    counts = {"written by hand": 1e6, "flask_clustaar": 1.3e6}
    return {
        "machine": {"Date": "today"},
        "instructions": {name: counts for name in PAYLOADS},
        **parts.run(names, TINY),
    }


def test_every_part_finds_something(found: dict[str, Any]) -> None:
    """Each part runs here, or is skipped by name."""
    assert found.keys() | found["skipped"].keys() >= parts.PARTS.keys()
    assert found["requests"]["typical"]["costs"]["written by hand"]["ratio"] == 1
    assert found["imports"]["flask_clustaar"]["milliseconds"] > 0
    assert len(found["memory"]["samples"]) == 21


def test_report_on_the_terminal(found: dict[str, Any]) -> None:
    """The terminal shows a table of each part, and whom it could not measure."""
    text = report.as_text(found | {"skipped": {"svix": "not installed"}})
    for title in ("CPU time of a notification", "Imports", "Memory", "Instructions"):
        assert f"{title}\n---" in text
    assert "Skipped: svix (not installed)." in text


def test_page_and_plots(found: dict[str, Any], tmp_path: Path) -> None:
    """The page names all subjects, and shows its plots."""
    page, details, *plots = report.write_page(json.loads(json.dumps(found)), tmp_path)
    text = page.read_text("utf-8") + details.read_text("utf-8")
    for subject in SUBJECTS:
        assert f"* - {subject.name}\n" in text
    for file in plots:
        ElementTree.parse(file)
        assert f".. image:: /_static/{file.name}\n" in text


def test_library_that_changed_is_skipped_by_name() -> None:
    """A library that has changed is skipped, and does not end the run."""

    def build(_: Payload) -> Contender:
        raise ImportError

    changed = Subject("other", "", "field", build)
    assert why_not(changed) == "incompatible version: ImportError"
    assert why_not(changed._replace(needs="no-such-thing")) == "not installed"
    assert why_not(changed._replace(build=ours.everything)) is None


def test_plot_escapes_names() -> None:
    """The labels of a plot are text."""
    picture = plot("<a>", "x & y", "z", [1, 1000], {"<b>": [1, 2], "c": [3, 50]})
    texts = [each.text for each in ElementTree.fromstring(picture)]
    assert {"<a>", "x & y", "<b>", "c"} <= set(texts)


def test_missing_tool_is_skipped_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """If a tool is missing, its part is skipped, and the others run."""
    monkeypatch.setenv("PATH", "")
    skipped = parts.run(["instructions"], TINY)["skipped"]
    assert skipped["instructions"] == "Valgrind is not installed"


def test_count_of_instructions_is_read(tmp_path: Path) -> None:
    """The count is in Valgrind's log; a log without it is an error."""
    log = tmp_path / "log"
    log.write_text("==1== \n==1== I   refs:      1,234,567\n")
    assert instructions.total(log) == 1_234_567
    log.write_text("==1== \n")
    with pytest.raises(RuntimeError, match="No count of instructions"):
        instructions.total(log)


def test_answers_are_compared(tmp_path: Path) -> None:
    """The same code gives the same answers; differences are shown."""
    file = tmp_path / "answers.json"
    written = CliRunner().invoke(main, ["--answers", str(file)])
    assert (written.exit_code, "Wrote" in written.output) == (0, True)
    same = CliRunner().invoke(main, ["--answers", str(file)])
    assert (same.exit_code, same.output[:3]) == (0, "0 o")
    before = json.loads(file.read_text())
    before["body: null"][0] = "200 OK"
    answers.write(before, file)
    other = CliRunner().invoke(main, ["--answers", str(file)])
    assert other.exit_code == 1
    assert "body: null:\n  before: ['200 OK'" in other.output


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command measures the selected parts, and prints and stores the results."""
    monkeypatch.setattr("benchmarks.__main__.QUICK", TINY)
    file = tmp_path / "found.json"
    arguments = ["--quick", "--only", "memory", "--json", str(file)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "resident, MB" in result.output
    assert json.loads(file.read_text()).keys() == {"machine", "skipped", "memory"}


def test_page_is_made_again(
    found: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page can be created from the results of an earlier run."""
    monkeypatch.setattr(report.write_page, "__defaults__", (tmp_path,))
    monkeypatch.setattr(report, "DOCS", tmp_path)
    file = tmp_path / "found.json"
    file.write_text(json.dumps(found))
    result = CliRunner().invoke(main, ["--page", str(file)])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "run" / "performance.rst").exists()


def test_cost_of_a_deadline() -> None:
    """It compares both bots through a server and without, on one core and on all."""
    script = Path(__file__).parent.parent / "scripts" / "deadline_cost.py"
    done = subprocess.run(
        [sys.executable, script, "2", "1"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    rows = done.stdout.splitlines()[3:]
    assert [row.partition("  ")[0] for row in rows] == [
        "gunicorn, one core",
        "no server, one core",
        "gunicorn, all cores",
        "no server, all cores",
    ]
