"""The ids of the steps that use the webhook, from the bot designer."""

from __future__ import annotations

WINDOW = "5a8c317624acbe05b1a36feb"
SHELF = "5a8c317624acbe05b1a36fec"
BASKET = "5a8c317624acbe05b1a36fed"
CHECKOUT = "5a8c317624acbe05b1a36fee"
