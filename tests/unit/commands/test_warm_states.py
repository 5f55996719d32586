"""A state that is kept from command to command is the one that a load would give."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pytest

from headwater import App
from headwater.aggregates import Aggregate, decide, evolve
from headwater.errors import ExpectationFailed, Refused
from headwater.messages import Command, Event, Recorded, Tag
from headwater.runtime import Runtime

AccountId = Annotated[str, Tag("account")]


class OpenAccount(Command):
    account_id: AccountId
    amount: int


class Transfer(Command):
    account_id: AccountId
    to: AccountId
    amount: int


class ShowBalance(Command):
    account_id: AccountId


class PaidIn(Event):
    account_id: AccountId
    amount: int


class PaidOut(Event):
    account_id: AccountId
    amount: int


class Balance(Aggregate):
    """What the accounts below share: they fold, and keep their states, in different ways."""

    account_id: AccountId
    balance: int = 0

    @decide
    def open(self, command: OpenAccount) -> PaidIn:
        return PaidIn(account_id=self.account_id, amount=command.amount)

    @decide
    def transfer(self, command: Transfer) -> list[PaidOut | PaidIn] | None:
        """Its second event is another account's."""
        if command.amount == 0:
            return None
        if self.balance < command.amount:
            raise Refused("not-enough", f"{self.account_id} has {self.balance}")
        return [
            PaidOut(account_id=self.account_id, amount=command.amount),
            PaidIn(account_id=command.to, amount=command.amount),
        ]

    @decide
    def show(self, command: ShowBalance) -> None:
        raise Refused("has", str(self.balance))

    @evolve
    def paid_out(self, event: PaidOut) -> None:
        self.balance -= event.amount


class Account(Balance):
    @evolve
    def paid_in(self, event: PaidIn) -> None:
        self.balance += event.amount


class AccountWithEnvelope(Balance):
    @evolve
    def paid_in(self, event: Recorded[PaidIn]) -> None:
        self.balance += event.event.amount


class AccountWithSnapshots(Balance):
    snapshot_every = 2

    @evolve
    def paid_in(self, event: PaidIn) -> None:
        self.balance += event.amount


KINDS = pytest.mark.parametrize("kind", [Account, AccountWithEnvelope, AccountWithSnapshots])


async def balance(bank: Runtime, account_id: str) -> int:
    """What the state says, told by a refusal."""
    with pytest.raises(Refused) as told:
        await bank.execute(ShowBalance(account_id=account_id))
    return int(told.value.message)


@KINDS
async def test_events_of_other_boundaries_are_not_folded(tmp_path: Path, kind: type[Balance]) -> None:
    """What a transfer puts into another account is not there for the next transfer from this one."""
    url = f"sqlite:///{tmp_path}/bank.db"
    async with App("bank", kind).open(url) as bank:
        await bank.execute(OpenAccount(account_id="a", amount=100))
        await bank.execute(Transfer(account_id="a", to="b", amount=60))
        with pytest.raises(Refused) as refusal:
            await bank.execute(Transfer(account_id="a", to="b", amount=60))
        warm = await balance(bank, "a"), await balance(bank, "b")
    async with App("bank", kind).open(url) as bank:
        cold = await balance(bank, "a"), await balance(bank, "b")
    assert (refusal.value.code, warm, cold) == ("not-enough", (40, 60), (40, 60))


@KINDS
async def test_a_receipt_is_a_good_expectation_warm_and_cold(tmp_path: Path, kind: type[Balance]) -> None:
    """Also where its last event is another boundary's, and until something is added to this one."""
    url = f"sqlite:///{tmp_path}/bank.db"
    async with App("bank", kind).open(url) as bank:
        await bank.execute(OpenAccount(account_id="a", amount=100))
        first = await bank.execute(Transfer(account_id="a", to="b", amount=1))
        warm = await bank.execute(Transfer(account_id="a", to="b", amount=1), expect=first.position)
    async with App("bank", kind).open(url) as bank:
        cold = await bank.execute(Transfer(account_id="a", to="b", amount=1), expect=warm.position)
        with pytest.raises(ExpectationFailed) as failed:
            await bank.execute(Transfer(account_id="a", to="b", amount=1), expect=warm.position)
    assert (cold.position, failed.value.fields) == (7, {"expected": 5, "actual": 6})


async def test_the_receipt_of_a_command_that_changed_nothing_is_a_good_expectation() -> None:
    """It says how far the boundary was looked at, be it ever so empty; a place beyond the log is none."""
    async with App("bank", Account).open("memory:") as bank:
        await bank.execute(OpenAccount(account_id="a", amount=100))
        nothing = await bank.execute(Transfer(account_id="c", to="a", amount=0))
        with pytest.raises(ExpectationFailed, match="the last one of 1 events is at 0"):
            await bank.execute(OpenAccount(account_id="c", amount=5), expect=2)
        receipt = await bank.execute(OpenAccount(account_id="c", amount=5), expect=nothing.position)
    assert (nothing.position, receipt.position) == (1, 2)


async def test_a_position_of_another_process_is_a_good_expectation(tmp_path: Path) -> None:
    """Also where the events that were read of this boundary do not say yet that the log is so long."""
    url = f"sqlite:///{tmp_path}/bank.db"
    async with App("bank", Account).open(url) as here, App("bank", Account).open(url) as there:
        await here.execute(OpenAccount(account_id="a", amount=5))
        await here.execute(Transfer(account_id="a", to="a", amount=1))
        for account_id in "bc":  # all types are met now, so events are read where the last commit was made
            await here.execute(OpenAccount(account_id=account_id, amount=5))
        other = await there.execute(OpenAccount(account_id="d", amount=5))
        receipt = await here.execute(Transfer(account_id="a", to="a", amount=1), expect=other.position)
    assert (other.position, receipt.position) == (6, 8)


class FillBasket(Command):
    basket_id: Annotated[str, Tag("basket")]
    things: list[str] = []


class BasketFilled(Event):
    basket_id: Annotated[str, Tag("basket")]
    things: list[str]
    before: list[str]


class Basket(Aggregate):
    """Its events, its state and its commands hold the same lists, and some are tuples."""

    basket_id: Annotated[str, Tag("basket")]
    things: list[str] = []
    before: list[str] = []

    @decide
    def fill(self, command: FillBasket) -> BasketFilled:
        if not command.things:
            raise Refused("has", f"{self.things} {self.before}")
        things: Any = tuple(command.things)
        return BasketFilled(basket_id=self.basket_id, things=things, before=self.things)

    @evolve
    def filled(self, event: BasketFilled) -> None:
        self.before = event.before
        self.things.extend(event.things)
        self.things.append(type(event.things).__name__)


async def test_a_kept_state_is_folded_from_what_was_stored() -> None:
    """A list that an event shares with the state changes with it, and a tuple is read as the list that it should be."""
    async with App("shop", Basket).open("memory:") as shop:
        for thing in ("apple", "pear"):
            await shop.execute(FillBasket(basket_id="b", things=[thing]))
        with pytest.raises(Refused) as told:
            await shop.execute(FillBasket(basket_id="b"))
    assert told.value.message == "['apple', 'list', 'pear', 'list'] ['apple', 'list']"


class AccountByName(Account):
    """Knows only accounts that were opened."""

    @decide
    def show(self, command: ShowBalance) -> None:
        raise Refused("has", {1: "one"}[self.balance])


@pytest.mark.parametrize("is_known", [True, False])
async def test_what_a_stale_state_fails_on_is_decided_again(tmp_path: Path, is_known: bool) -> None:
    """Whatever a decider raises, another process may have done away with the reason."""
    url = f"sqlite:///{tmp_path}/bank.db"
    async with App("bank", AccountByName).open(url) as here, App("bank", AccountByName).open(url) as there:
        await here.execute(OpenAccount(account_id="a", amount=0))
        await there.execute(OpenAccount(account_id="a", amount=1 if is_known else 2))
        with pytest.raises(Refused if is_known else KeyError):
            await here.execute(ShowBalance(account_id="a"))
