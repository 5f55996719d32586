"""What type checkers conclude about the task-based UI. Checked by mypy and pyright strict; never executed."""

from __future__ import annotations

from typing import Annotated, assert_type

from headwater import Aggregate, App, Command, Event, Refused, Runtime, Tag, decide, evolve
from headwater.commands.offers import Offer, Offers
from headwater.http import HttpDoor, HttpOptions, create_app
from headwater.ui import Show, TaskUi

RoomId = Annotated[str, Tag("room")]


class CloseRoom(Command):
    """It cannot be let."""

    room_id: RoomId


class RoomClosed(Event):
    """It is closed."""

    room_id: RoomId


def is_open(room: Room) -> bool | str:
    """True, or why not."""
    if room.closed_for_good:
        raise Refused("gone", "there is no such room any more")
    return not room.closed or "it is closed"


class Room(Aggregate):
    """A room."""

    room_id: RoomId
    closed: bool = False
    closed_for_good: bool = False

    @decide(when=is_open)
    def close(self, command: CloseRoom) -> RoomClosed:
        """Close it."""
        return RoomClosed(room_id=command.room_id)

    @evolve
    def was_closed(self, event: RoomClosed) -> None:
        """Remember."""
        self.closed = True


app = App("hotel", Room)
ui = TaskUi(title="Hotel", show={CloseRoom: Show(title="Close it", labels={"room_id": "Room"})}, hide=[CloseRoom])
assert_type(create_app(app, "memory:", HttpOptions(doors=[ui])), HttpDoor)


async def look(hotel: Runtime) -> None:
    """What is on offer."""
    found = await hotel.offers(Room, room_id="12")
    assert_type(found, Offers | None)
    if found is not None:
        assert_type(found.of(CloseRoom), Offer)
        assert_type(found.offers[0].reason, str | None)
