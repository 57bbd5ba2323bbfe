"""The shop, with a new database for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from flask_clustaar.testing import ClustaarClient
from shop import catalogue, create_app


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    app = create_app(
        {
            "SQLALCHEMY_DATABASE_URI": f"sqlite:///{tmp_path}/shop.db",
            "CLUSTAAR_PRIVATE_KEY": "test-key",
        }
    )
    result = app.test_cli_runner().invoke(args=["init-db"])
    assert "The shelves are full.\n" == result.output
    yield app
    with app.app_context():
        catalogue.db.engine.dispose()


@pytest.fixture
def client(app: Flask) -> ClustaarClient:
    return ClustaarClient(app, bot=Path(__file__).with_name("bot.json"))
