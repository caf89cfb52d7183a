"""The mutation that sets the test clock."""

from datetime import datetime
from typing import Annotated

import strawberry

from resolvers import clock as use_cases
from schema.account_mutations import Payload
from schema.context import Info
from schema.errors import refusals_in_payload
from schema.instants import utc


@strawberry.input(description="How far the test clock is set: exactly one of the two.", one_of=True)
class TestClockAdvanceInput:
    __test__ = False
    to: datetime | None = strawberry.field(default=strawberry.UNSET, description="An instant, now or later.")
    days: int | None = strawberry.field(default=strawberry.UNSET, description="So many days of 24 hours, 0 or more.")


@strawberry.type(description="The test clock after it was set, or why it was not.")
class TestClockAdvancePayload(Payload):
    __test__ = False
    now: datetime | None = strawberry.field(default=None, description="The clock's instant. Null when it was refused.")


@strawberry.type
class ClockMutations:
    """The part of Mutation about the test clock."""

    @strawberry.mutation(
        description="Set the test clock, and do what the time that passed does: for operators, where the server was"
        " started with SPOTPLAN_CLOCK=test; refused otherwise. Tokens go by the real time all along."
    )
    @refusals_in_payload(TestClockAdvancePayload)
    async def test_clock_advance(
        self, info: Info, input: Annotated[TestClockAdvanceInput, strawberry.argument(description="How far.")]
    ) -> TestClockAdvancePayload | None:
        to = utc(input.to) if input.to else None
        days = input.days or None
        now = await use_cases.advance(info.context.services, info.context.caller, to=to, days=days)
        return TestClockAdvancePayload(now=now)
