"""Session values as a dataclass."""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Literal, Optional
from uuid import UUID

import pytest
from flask import Flask

from flask_clustaar import ClustaarWebhook, Notification
from flask_clustaar.state import state
from flask_clustaar.testing import ClustaarClient, make_notification


class Kind(enum.Enum):
    WATER = "water"
    FIRE = "fire"


@dataclass
class Place:
    city: str = "Paris"
    floor: int | None = None


@dataclass
class Claim:
    number: int = 1
    name: str = ""
    amount: float = 0.5
    price: Decimal = Decimal("1.10")
    urgent: bool = False
    happened: date | None = None
    seen: Optional[datetime] = None  # noqa: UP045
    at: time = time(9)
    lasts: timedelta = timedelta(minutes=1)
    id: UUID = UUID(int=1)
    kind: Kind = Kind.WATER
    colour: Literal["red", "blue"] = "red"
    photos: list[str] = field(default_factory=list)
    kinds: list[Kind | None] = field(default_factory=list)
    prices: dict[str, Decimal] = field(default_factory=dict)
    place: Place = field(default_factory=Place)
    old: Place | None = None
    any: Any = None
    raw: dict = field(default_factory=dict)  # type: ignore[type-arg]
    loose: list = field(default_factory=list)  # type: ignore[type-arg]


def session_of(**values: Any) -> Notification:
    return make_notification(session=values)


def test_everything_is_stored_and_read_again() -> None:
    """Dates, enumerations, lists and objects are as they were; the session is JSON."""
    notification = session_of(other={"stays": True})
    full = Claim(
        number=2,
        name="Zoë",
        amount=1.5,
        price=Decimal("2.50"),
        urgent=True,
        happened=date(2026, 1, 2),
        seen=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        at=time(10, 30),
        lasts=timedelta(hours=2),
        id=UUID(int=2),
        kind=Kind.FIRE,
        colour="blue",
        photos=["a"],
        kinds=[Kind.FIRE, None],
        prices={"a": Decimal("1")},
        place=Place(city="Rome", floor=3),
        old=Place(),
        any=[1, {"a": None}],
        raw={"b": 1},
        loose=[1, None, "a"],
    )
    with state(notification, Claim) as claim:
        assert claim == Claim()
        for name, value in vars(full).items():
            setattr(claim, name, value)

    stored = json.loads(json.dumps(notification.session.values))
    assert stored["other"] == {"stays": True}
    assert stored["happened"] == "2026-01-02"
    assert (stored["kind"], stored["price"]) == ("fire", "2.50")
    with state(session_of(**stored), Claim) as again:
        assert again == full


def test_defaults_are_not_stored() -> None:
    """Unchanged values are not stored; existing ones are updated."""
    notification = session_of(name="x", number=5)
    with state(notification, Claim) as claim:
        claim.name = ""
        claim.photos.append("a")

    assert notification.session.values == {"name": "", "number": 5, "photos": ["a"]}


@dataclass(slots=True)
class Slotted:
    city: str = ""


@dataclass
class Trip:
    when: datetime | None = None
    places: list[Place] = field(default_factory=list)
    slotted: Slotted = field(default_factory=Slotted)


def test_what_does_not_change_is_not_written() -> None:
    """An older version of the program can still load its values."""
    stored = {"when": "2026-01-02 03:04", "slotted": {"city": "Rome", "zip": 1}}
    notification = session_of(**stored)
    with state(notification, Trip) as trip:
        assert trip.when == datetime(2026, 1, 2, 3, 4)

    assert notification.session.values == stored


def test_unknown_values_of_nested_objects_are_kept() -> None:
    """Values of another version of a nested class are kept."""
    notification = session_of(places=[{"city": "Rome", "zip": 1}, {"city": "Oslo"}])
    with state(notification, Trip) as trip:
        del trip.places[1]
        trip.places[0].floor = 2
        assert trip.places[0] == Place("Rome", 2)

    assert notification.session.values == {
        "places": [{"city": "Rome", "floor": 2, "zip": 1}]
    }


def test_lists_are_not_shared() -> None:
    """Each conversation has its own list."""
    with state(session_of(), Claim) as claim:
        claim.photos.append("a")
    with state(session_of(), Claim) as other:
        assert other.photos == []


@dataclass
class NewClaim:
    number: str = "none"
    kind: Kind = Kind.FIRE
    place: Place = field(default_factory=Place)
    photos: list[int] = field(default_factory=list)
    added: int = 7


def test_session_of_an_older_version(caplog: pytest.LogCaptureFixture) -> None:
    """Values of another type are logged in one line, without the values."""
    notification = session_of(
        number=2, kind="air", place={"floor": "first"}, photos=["secret"], lost="kept"
    )
    with state(notification, NewClaim) as claim:
        assert claim == NewClaim()

    (record,) = caplog.records
    assert record.getMessage() == (
        "Session values that 'NewClaim' cannot load were replaced by defaults: "
        "'number', 'kind', 'place', 'photos'."
    )
    assert notification.session.values == {
        "number": "none",
        "kind": "fire",
        "place": {"city": "Paris", "floor": None},
        "photos": [],
        "lost": "kept",
    }
    caplog.clear()
    with state(notification, NewClaim):
        assert not caplog.records


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("number", "x"),
        ("number", 1.5),
        ("number", None),
        ("amount", float("nan")),
        ("urgent", "yes"),
        ("happened", "yesterday"),
        ("kind", []),
        ("colour", "green"),
        ("photos", "a"),
        ("prices", {"a": "b"}),
        ("place", []),
        ("kinds", ["water", "air"]),
    ],
)
def test_value_that_cannot_be_read(name: str, value: Any) -> None:
    """For any session, values of the wrong type get the default."""
    notification = make_notification()
    notification.session.values[name] = value
    with state(notification, Claim) as claim:
        assert claim == Claim()


def test_nothing_is_stored_after_an_exception() -> None:
    """A handler that fails does not change the session."""
    notification = session_of(number=5)
    with pytest.raises(KeyError), state(notification, Claim) as claim:
        claim.number = 6
        raise KeyError("x")

    assert notification.session.values == {"number": 5}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("number", "x"),
        ("number", 1.5),
        ("name", 5),
        ("amount", "1.5"),
        ("urgent", "yes"),
        ("price", 1.1),
        ("photos", [1]),
        ("happened", "2026"),
        ("kind", "water"),
        ("colour", "green"),
        ("place", 5),
    ],
)
def test_value_of_another_type_is_not_stored(name: str, value: Any) -> None:
    """A value that could not be loaded again is an error with its attribute."""
    notification = make_notification()
    with (
        pytest.raises(ValueError, match=f"'Claim.{name}' cannot be stored: it is a '"),
        state(notification, Claim) as claim,
    ):
        setattr(claim, name, value)
    assert notification.session.values == {}


@dataclass
class Bare:
    name: str


@dataclass
class Odd:
    what: bytes = b""


@dataclass
class Torn:
    what: int | str = 5


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (int, "'state' needs a dataclass .the class itself., not <class 'int'>."),
        (Place(), "'state' needs a dataclass .the class itself., not Place.city='"),
        (
            Bare,
            "'Bare.name' requires a default, because the session may not have",
        ),
        (Odd, "'Odd.what' has a type that a session cannot store: <class 'bytes'>."),
        (Torn, "'Torn.what' has a type that a session cannot store: int | str."),
    ],
)
def test_class_that_does_not_fit(kind: Any, message: str) -> None:
    """A class whose values cannot be in a session is an error that says why."""
    with pytest.raises(TypeError, match=message.replace("|", r"\|")):
        with state(make_notification(), kind):
            raise AssertionError


def test_state_of_a_conversation() -> None:
    """From one notification to the next the state is in the session."""
    app = Flask("bot")
    webhook = ClustaarWebhook(app, private_key="for tests")

    @webhook.fallback
    def add(notification: Notification) -> str:
        with state(notification, Claim) as claim:
            claim.photos.append(notification.text)
        return f"{len(claim.photos)} photos."

    client = ClustaarClient(app)
    assert client.say("a").texts == ["1 photos."]
    assert client.say("b").texts == ["2 photos."]
    assert client.session == {"photos": ["a", "b"]}
