"""The handlers: the bot's reply at each step.

A click stores a session value: the kind of products to show (``kind``), or the product
to buy (``product``). The basket is a list of products in the session, so the
application stores nothing about a conversation.
"""

from __future__ import annotations

from collections.abc import Sequence

from flask_clustaar import HandlerGroup, Notification, events
from flask_clustaar.filters import StepID
from flask_clustaar.models import (
    Action,
    Button,
    Card,
    GoToAction,
    QuickReply,
    SendCardsAction,
    SendQuickRepliesAction,
    SendTextAction,
)
from flask_clustaar.truncation import truncate

from . import catalogue, steps
from .catalogue import Product

group = HandlerGroup()


@group.on(events.CONVERSATION_STEP_REACHED, filter=StepID(steps.WINDOW))
def welcome(notification: Notification) -> list[Action]:
    """Greet, show some bargains, and ask which products to show."""
    name = notification.interlocutor.first_name or "there"
    return [
        SendTextAction(f"Hello {name}, welcome to the shop!"),
        SendCardsAction(cards=[_card(each) for each in catalogue.cheapest(2)]),
        SendQuickRepliesAction(
            message="What are you looking for?",
            buttons=[
                QuickReply(
                    title=kind.capitalize(),
                    action=GoToAction.step(steps.SHELF, session_values={"kind": kind}),
                )
                for kind in catalogue.kinds(limit=11)  # The platform's limit.
            ],
        ),
    ]


@group.on(events.CONVERSATION_STEP_REACHED, filter=StepID(steps.SHELF))
def show_products(notification: Notification) -> Action:
    """Show the products of a kind, which the user clicked or typed."""
    # Not the session's value, which is from an earlier click.
    kind = notification.clicked.get("kind") or notification.text.strip().lower()
    products = catalogue.cheapest(10, kind=kind)
    if not products:
        return _suggest("We have none of those.", "Look around", steps.WINDOW)
    return SendCardsAction(cards=[_card(product) for product in products])


@group.on(events.CONVERSATION_STEP_REACHED, filter=StepID(steps.BASKET))
def fill_basket(notification: Notification) -> Action:
    """Put the clicked product into the basket, and show the basket."""
    session = notification.session
    if product := notification.clicked.get("product"):
        session["basket"] = [*session.get("basket", []), product]
    products = catalogue.by_slugs(session.get("basket", []))
    if not products:
        return _suggest("Your basket is empty.", "Look around", steps.WINDOW)
    lines = [f"{product.name}: {_euros(product.price)}" for product in products]
    message = "\n".join([f"Your basket, {_total(products)}:", *lines])
    return SendQuickRepliesAction(
        message=truncate(message, SendQuickRepliesAction, "message"),
        buttons=[
            QuickReply(title="Look around", action=GoToAction.step(steps.WINDOW)),
            QuickReply(title="Check out", action=GoToAction.step(steps.CHECKOUT)),
        ],
    )


@group.on(events.CONVERSATION_STEP_REACHED, filter=StepID(steps.CHECKOUT))
def check_out(notification: Notification) -> str:
    """Accept the order, and empty the basket."""
    products = catalogue.by_slugs(notification.session.get("basket", []))
    notification.session["basket"] = []
    return f"Thank you for your order of {_total(products)}."


@group.fallback
def leave_as_it_is(notification: Notification) -> list[Action]:
    """Execute the actions that all other steps have in the platform."""
    return notification.step.actions


def _card(product: Product) -> Card:
    return Card(
        title=product.name,
        subtitle=_euros(product.price),
        image_url=product.picture,
        alt=product.name,
        buttons=[
            Button(
                title="Buy",
                action=GoToAction.step(
                    steps.BASKET, session_values={"product": product.slug}
                ),
            )
        ],
    )


def _suggest(message: str, title: str, step: str) -> Action:
    return SendQuickRepliesAction(
        message=message,
        buttons=[QuickReply(title=title, action=GoToAction.step(step))],
    )


def _total(products: Sequence[Product]) -> str:
    return _euros(sum(product.price for product in products))


def _euros(cents: int) -> str:
    return f"{cents / 100:.2f} EUR"
