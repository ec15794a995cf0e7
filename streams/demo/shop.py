"""A shop's visitors: who they are and what each of them does next, and after how long a pause.

Pure: all chance comes from the `Random` that is given, and nothing is sent from here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal, NamedTuple

MEMBERS = 70
"""People with an account. Few enough to be met again within a minute, so that scores pile up."""
GUESTS = 20
"""People whom the shop knows by a cookie only."""

_NAMES = ("ada", "ben", "chloe", "dev", "eva", "finn", "grace", "hugo", "iris", "jon", "kim", "lea", "max", "noor")
_PLANS = ("free", "silver", "gold")
_PRODUCTS = ("kettle", "lamp", "desk", "chair", "rug", "clock", "mirror", "shelf")
_LINKS = ("sale", "news", "imprint")
_CAMPAIGNS = ("spring", "welcome", "new_arrivals")


class Shopper(NamedTuple):
    """One person."""

    user_id: str | None
    anonymous_id: str | None
    plan: str

    @property
    def contact_id(self) -> str:
        """What Segue calls this person."""
        return self.user_id or f"anon:{self.anonymous_id}"


def shoppers() -> list[Shopper]:
    """Everybody who may come."""
    names = [f"{_NAMES[number % len(_NAMES)]}-{number}" for number in range(1, MEMBERS + 1)]
    members = [Shopper(name, None, _PLANS[number % len(_PLANS)]) for number, name in enumerate(names)]
    return members + [Shopper(None, f"guest-{number}", "free") for number in range(1, GUESTS + 1)]


Way = Literal["identify", "track", "batch", "open", "click"]


@dataclass(frozen=True, slots=True)
class Action:
    """One request, made `pause_s` after the one before."""

    pause_s: float
    way: Way
    event: str = ""
    properties: dict[str, Any] = field(default_factory=dict)
    campaign: str = ""
    link: str = "sale"
    """Of an e-mail's click: where it leads."""
    machine: bool = False
    """Fetched by a mail proxy, not by the person."""
    ages_s: tuple[float, ...] = ()
    """Of a batch: how long ago each of its events happened, in seconds."""


Visit = Callable[[Shopper, Random], Iterator[Action]]


def _pause(chance: Random, mean_s: float) -> float:
    return min(chance.expovariate(1 / mean_s), 3 * mean_s)


def _browse(chance: Random, pages: int) -> Iterator[Action]:
    yield Action(_pause(chance, 0.5), "track", "page_view", {"path": "/"})
    for _ in range(pages):
        product = chance.choice(_PRODUCTS)
        yield Action(_pause(chance, 0.9), "track", "Product Viewed", {"product_id": product})


def _add_to_cart(chance: Random) -> Action:
    properties = {"product_id": chance.choice(_PRODUCTS), "price": chance.randrange(10, 200), "quantity": 1}
    return Action(_pause(chance, 1.0), "track", "Product Added", properties)


def _look_around(_shopper: Shopper, chance: Random) -> Iterator[Action]:
    yield from _browse(chance, chance.randint(1, 5))


def _buy(shopper: Shopper, chance: Random) -> Iterator[Action]:
    yield from _browse(chance, chance.randint(1, 3))
    items = [_add_to_cart(chance) for _ in range(chance.randint(1, 2))]
    yield from items
    yield Action(_pause(chance, 0.8), "track", "Checkout Started", {"products": len(items)})
    total = sum(item.properties["price"] for item in items)
    yield Action(_pause(chance, 1.0), "track", "Order Completed", {"total": total, "plan": shopper.plan})


def _forget_the_cart(_shopper: Shopper, chance: Random) -> Iterator[Action]:
    yield from _browse(chance, chance.randint(1, 2))
    yield _add_to_cart(chance)


def _read_mail(_shopper: Shopper, chance: Random) -> Iterator[Action]:
    campaign = chance.choice(_CAMPAIGNS)
    yield Action(_pause(chance, 0.5), "open", campaign=campaign, machine=chance.random() < 0.15)
    if chance.random() < 0.6:
        yield Action(_pause(chance, 1.0), "click", campaign=campaign)
        yield from _browse(chance, 1)
        if chance.random() < 0.4:
            yield _add_to_cart(chance)


def _be_scanned(_shopper: Shopper, chance: Random) -> Iterator[Action]:
    """A gateway follows all links of an e-mail at once, and says that it is a browser. It is found out afterwards."""
    campaign = chance.choice(_CAMPAIGNS)
    for link in _LINKS:
        yield Action(0.0, "click", campaign=campaign, link=link)


def _come_back_online(_shopper: Shopper, chance: Random) -> Iterator[Action]:
    """An app sends what it gathered without a connection: events that are late when they arrive."""
    ages = sorted((chance.uniform(0.2, 4.0) for _ in range(chance.randint(2, 5))), reverse=True)
    yield Action(_pause(chance, 0.5), "batch", "page_view", {"path": "/app"}, ages_s=tuple(ages))


VISITS: tuple[tuple[int, Visit], ...] = (
    (25, _look_around),
    (20, _buy),
    (20, _forget_the_cart),
    (30, _read_mail),
    (5, _come_back_online),
    (5, _be_scanned),
)
"""How often, and what. A new kind of visit is one function and one line here."""


def visit(shopper: Shopper, chance: Random, *, first: bool) -> Iterator[Action]:
    """What a person does on one visit; on the `first` one, members say who they are."""
    if first and shopper.user_id is not None:
        yield Action(0.0, "identify", properties={"plan": shopper.plan, "name": shopper.user_id.partition("-")[0]})
    (chosen,) = chance.choices([one for _, one in VISITS], [weight for weight, _ in VISITS])
    yield from chosen(shopper, chance)
