"""The domain's enumerations as GraphQL enums, each value described."""

from enum import Enum

import strawberry

from domain.contracts import BillingCycle
from domain.customers import CustomerKind
from domain.orders import OrderStatus, PaymentMethod
from planner.problem import BaselineKind, OrderKind, PlanStatus, ShortfallReason
from resolvers.access import Role


def _register(enum: type[Enum], description: str, values: dict[str, str]) -> None:
    """Make a domain enumeration a GraphQL enum.

    Raises:
        KeyError: a value has no description.
    """
    strawberry.enum(enum, description=description)
    for value in enum.__strawberry_definition__.values:  # type: ignore[attr-defined] # strawberry set it
        value.description = values[value.name]


_register(
    Role,
    "What a caller may do.",
    {
        "OWNER": "An owner-manager: reads, plans and orders for its own customer only.",
        "SALES": "Reads every customer and asks for recommendations; orders nothing.",
        "OPERATOR": "Runs the service: may do what owners and sales do, for every customer.",
    },
)
_register(
    CustomerKind,
    "What a customer is; it decides about payment methods.",
    {"CORPORATE": "A corporate customer: may pay by invoice.", "INDIVIDUAL": "An individual customer."},
)
_register(
    BillingCycle,
    "How a term of the main contract is paid.",
    {
        "MONTHLY": "Month by month, at the monthly unit price.",
        "ANNUAL": "By the year, at the annual unit price.",
    },
)
_register(
    PaymentMethod,
    "How an order is paid.",
    {
        "INVOICE": "Corporate customers: confirmed at once, due at the end of the following month.",
        "CREDIT_CARD": "Confirmed when the payment provider authorises it.",
        "BANK_TRANSFER": "Confirmed when the transfer has arrived.",
    },
)
_register(
    OrderStatus,
    "Where a spot order stands.",
    {
        "AWAITING_PAYMENT_METHOD": "Placed; the price is held until it expires. Choose a payment method next.",
        "PENDING_PAYMENT": "A payment method is chosen and the payment has not arrived yet.",
        "CONFIRMED": "Paid or payable; gives capacity from its first day on.",
        "ACTIVE": "Gives capacity today.",
        "ENDED": "Its last day is over.",
        "CANCELLED": "Cancelled before it was confirmed.",
        "EXPIRED": "Left without a payment method for too long; place it again.",
    },
)
_register(
    PlanStatus,
    "What was proven about a recommendation.",
    {
        "OPTIMAL": "Within the limits asked for, the plan covers the demand and no plan costs less. With a budget: no"
        " plan within it leaves fewer account-days short, and of those that leave as few none costs less.",
        "FEASIBLE": "Within the limits asked for, the plan covers the demand, and no plan costs less than the lower"
        " bound. With a budget: the plan keeps within it, and none leaves fewer account-days short than the bound.",
        "INFEASIBLE": "Nothing within the limits asked for covers the demand; the shortfalls say where and why.",
        "NO_PLAN_IN_TIME": "Nothing was found in the time given; ask again with more seconds.",
    },
)
_register(
    OrderKind,
    "What is bought.",
    {
        "SPOT": "A spot contract: extra accounts for whole months.",
        "ADDITIONAL_LICENCE": "Units added to the main contract until the end of the term.",
    },
)
_register(
    BaselineKind,
    "A simpler way to buy, to compare a plan with.",
    {
        "PEAK_FOR_WHOLE_SPAN": "One order of the highest need over all days with a need.",
        "ONE_ORDER_PER_DEMAND_STEP": "For each run of days with one need, an order of what is still missing.",
        "MONTH_BY_MONTH": "From the first missing day on, one month at a time of the most missing in it.",
    },
)
_register(
    ShortfallReason,
    "Why a day stays short.",
    {
        "OUTSIDE_CONTRACT": "The day is before the main contract starts or after it ends.",
        "IN_THE_PAST": "The day is over.",
        "BEFORE_EARLIEST_START": "The day is before the earliest start that was asked for.",
        "LESS_THAN_A_MONTH_LEFT": "No period of whole months that may start now fits before the contract's end.",
        "ORDERS_LIMITED": "The limits on the number, length or size of orders leave it short.",
        "OVER_BUDGET": "The budget does not reach that far.",
    },
)
