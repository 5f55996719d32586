from __future__ import annotations

import asyncio
from typing import Annotated

import pytest
from tests.unit.ui.shop import CancelOrder, Order, OrderPlaced, PlaceOrder, ShipOrder

from headwater import Aggregate, App, Command, Event, Now, Refused, Tag, decide, evolve
from headwater.aggregates import aggregate_plan
from headwater.errors import EvolutionError
from headwater.testing import scenario


class Toss(Command):
    coin: Annotated[str, Tag("coin")]


class Tossed(Event):
    coin: Annotated[str, Tag("coin")]


class Coin(Aggregate):
    """Begins from its command, and breaks on its second event."""

    coin: Annotated[str, Tag("coin")]
    tossed: int = 0

    @classmethod
    def start(cls, command: Toss) -> Coin:
        return cls(coin=command.coin.lower())

    @decide
    def toss(self, command: Toss, now: Now) -> Tossed:
        return Tossed(coin=self.coin)

    @evolve
    def was_tossed(self, event: Tossed) -> None:
        self.tossed += 1


class Fragile(Aggregate):
    """Cannot be folded."""

    coin: Annotated[str, Tag("coin")]

    @decide(when=lambda self: True)
    def toss(self, command: Toss) -> Tossed:
        return Tossed(coin=self.coin)

    @evolve
    def was_tossed(self, event: Tossed) -> None:
        raise RuntimeError("broken")


@pytest.fixture
async def shop():
    """An application of orders alone."""
    async with App("shop", Order).open("memory:") as opened:
        yield opened


async def _reasons(shop, order_id="A-1"):
    found = await shop.offers(Order, order_id=order_id)
    return found.position, {offer.command.__name__: offer.reason for offer in found.offers}


async def test_offers_follow_the_state_and_say_why_not(shop):
    """A text is the reason; for false the docstring is; what is raised is a refusal's own."""
    before = await _reasons(shop)
    receipt = await shop.execute(PlaceOrder(order_id="A-1", customer="Ada"))
    after = await _reasons(shop)

    assert before == (
        0,
        {
            "PlaceOrder": None,
            "ShipOrder": "order A-1 is unknown",
            "CancelOrder": "Only an order that waits can be cancelled.",
            "EveryKind": None,
        },
    )
    assert after == (
        receipt.position,
        {
            "PlaceOrder": "order A-1 is already placed",
            "ShipOrder": None,
            "CancelOrder": None,
            "EveryKind": None,
        },
    )


async def test_the_position_is_good_as_an_expectation(shop):
    """It is that of the last change of this aggregate, whatever happened elsewhere."""
    await shop.execute(PlaceOrder(order_id="A-1", customer="Ada"))
    await shop.execute(PlaceOrder(order_id="B-1", customer="Bob"))
    found = await shop.offers(Order, order_id="A-1")
    receipt = await shop.execute(ShipOrder(order_id="A-1"), expect=found.position)

    assert (found.position, receipt.position) == (1, 3)


async def test_what_begins_from_its_command_cannot_be_told_before():
    """An aggregate with a start of its own has no boundary without a command."""
    async with App("coins", Coin).open("memory:") as coins:
        assert await coins.offers(Coin, coin="A") is None


async def test_a_state_that_cannot_be_folded_is_told():
    """As it is to who sends a command."""
    async with App("coins", Fragile).open("memory:") as coins:
        await coins.execute(Toss(coin="a"))
        with pytest.raises(EvolutionError):
            await coins.offers(Fragile, coin="a")


def test_a_refusal_raised_by_when_keeps_its_code():
    """It reaches the sender as it is; a text is refused as not available."""
    placed = OrderPlaced(order_id="A-1", customer="Ada", lines=[])

    scenario(Order).given(placed).when(PlaceOrder(order_id="A-1", customer="Ada")).then_refused("order-exists")
    scenario(Order).when(ShipOrder(order_id="A-1")).then_refused("not-available")


def test_false_is_refused_with_the_docstring():
    """Without one, the command's name has to do."""
    with pytest.raises(Refused, match="Only an order that waits can be cancelled"):
        _decide(CancelOrder(order_id="A-1", reason="x"))


def _decide(command):
    return aggregate_plan(Order).deciders[type(command)].decide(Order(order_id="A-1"), command, None, {})


async def test_looking_takes_its_turn_and_leaves_the_state_for_the_next_command(shop):
    """Offers asked among commands are those of some moment between them; nothing is decided on what looking left."""
    receipt, found = await asyncio.gather(
        shop.execute(PlaceOrder(order_id="A-1", customer="Ada")), shop.offers(Order, order_id="A-1")
    )
    refused, again = await asyncio.gather(
        shop.execute(PlaceOrder(order_id="A-1", customer="Ada")), _reasons(shop), return_exceptions=True
    )

    assert (receipt.position, found.position, found.of(ShipOrder).reason) == (1, 1, None)
    assert (refused.code, again[0]) == ("order-exists", 1)


async def test_a_change_by_another_process_is_seen(tmp_path):
    """The state that is kept is brought up to date before anybody is told."""
    url = f"sqlite:///{tmp_path}/shop.db"
    async with App("shop", Order).open(url) as here, App("shop", Order).open(url) as there:
        await here.execute(PlaceOrder(order_id="A-1", customer="Ada"))
        before = await _reasons(here)
        await there.execute(ShipOrder(order_id="A-1"))
        after = await _reasons(here)

    assert (before[1]["ShipOrder"], after[1]["ShipOrder"]) == (None, "order A-1 is shipped")
    assert (before[0], after[0]) == (1, 2)


class KeptCoin(Aggregate):
    """Keeps snapshots."""

    snapshot_every = 1
    coin: Annotated[str, Tag("coin")]
    tossed: int = 0

    @decide(when=lambda self: f"tossed {self.tossed} times")
    def look(self, command: Toss) -> Tossed:
        return Tossed(coin=self.coin)

    @evolve
    def was_tossed(self, event: Tossed) -> None:
        self.tossed += 1


async def test_a_state_from_a_snapshot_is_looked_at():
    """Not the empty one that the snapshot took the place of."""
    async with App("coins", KeptCoin).open("memory:", cache_size=0) as coins:
        for _ in range(2):
            await coins.event_store.append([coins.codec.encode_event(Tossed(coin="c"))])
            offers = await coins.offers(KeptCoin, coin="c")
            assert offers is not None
    assert [offer.reason for offer in offers.offers] == ["tossed 2 times"]
