"""The products of the shop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Base class of the tables."""


db = SQLAlchemy(model_class=Base)


class Product(db.Model):  # type: ignore[name-defined, misc]
    """A product."""

    slug: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    kind: Mapped[str]
    #: The price, in cents.
    price: Mapped[int]

    @property
    def picture(self) -> str:
        """The URL of a picture."""
        return f"https://example.com/{self.slug}.png"


def kinds(*, limit: int) -> Sequence[str]:
    """Return the kinds of products."""
    kind = Product.kind
    return db.session.scalars(
        db.select(kind).distinct().order_by(kind).limit(limit)
    ).all()


def cheapest(limit: int, *, kind: str | None = None) -> Sequence[Product]:
    """Return the cheapest products, of one kind or of all."""
    query = db.select(Product).order_by(Product.price).limit(limit)
    if kind is not None:
        query = query.filter_by(kind=kind)
    return db.session.scalars(query).all()


def by_slugs(slugs: Sequence[str]) -> Sequence[Product]:
    """Return the products with these slugs, in the same order."""
    query = db.select(Product).where(Product.slug.in_(slugs))
    found = {product.slug: product for product in db.session.scalars(query)}
    return [found[slug] for slug in slugs if slug in found]


def fill() -> None:
    """Create the tables again, and add products."""
    db.drop_all()
    db.create_all()
    columns = ("slug", "name", "kind", "price")
    products = [
        ("red-shoes", "Red shoes", "shoes", 59_00),
        ("blue-shoes", "Blue shoes", "shoes", 49_00),
        ("straw-hat", "Straw hat", "hats", 24_00),
        ("bowler-hat", "Bowler hat", "hats", 89_00),
        ("umbrella", "Umbrella", "accessories", 19_50),
    ]
    rows: list[dict[str, Any]] = [
        dict(zip(columns, product, strict=True)) for product in products
    ]
    db.session.execute(db.insert(Product), rows)
    db.session.commit()
