"""The domain's enumerations as GraphQL enums, each value described."""

from enum import Enum

import strawberry

from documents.texts import Language
from domain.accounts import AccountStatus
from domain.contracts import BillingCycle
from domain.customers import CustomerKind, DeactivationPolicy
from domain.deactivation import DeactivationReason
from domain.documents import DocumentKind, ItemKind
from domain.history import ActorKind, EventKind
from domain.ledger import EntryKind
from domain.orders import OrderStatus, PaymentMethod
from domain.quotes import QuoteStatus
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
        "CANCELLED": "Cancelled before its first day.",
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
_register(
    AccountStatus,
    "Where an account stands. ACTIVE and SUSPENDED accounts count against capacity.",
    {
        "ACTIVE": "May sign in.",
        "SUSPENDED": "May not sign in, until an owner reactivates it; keeps its place.",
        "DEACTIVATED": "Out since capacity fell; an owner can reactivate it while capacity is free. Its data stays.",
        "DELETED": "Gone for good: its name and e-mail address are erased, and its external id is free again.",
    },
)
_register(
    DeactivationPolicy,
    "Who is deactivated when a spot contract ends and not everybody fits.",
    {
        "ALL_REGISTERED_DURING_SPOT": "Everybody registered, or reactivated, during the spot that ends; if the rest"
        " still do not fit, the newest of them until they do.",
        "EXCESS_ONLY": "The newest until the rest fit; protected accounts after all others.",
    },
)
_register(
    DeactivationReason,
    "Why an account is deactivated.",
    {
        "REGISTERED_DURING_SPOT": "It was registered, or reactivated, during the spot contract that ended.",
        "NEWEST_OVER_CAPACITY": "It was among the newest of more accounts than fit.",
    },
)
_register(
    EventKind,
    "What happened.",
    {
        "ACCOUNT_REGISTERED": "An account was registered.",
        "ACCOUNT_SUSPENDED": "An account was suspended.",
        "ACCOUNT_REACTIVATED": "A suspended or deactivated account may sign in again.",
        "ACCOUNT_DEACTIVATED": "A fall of capacity deactivated an account.",
        "ACCOUNT_DELETED": "An account was deleted.",
        "ACCOUNT_CHANGED": "The groups of an account, or its protection, changed.",
        "CAPACITY_FELL": "A day began with less capacity than the day before.",
        "SPOT_ORDER_PLACED": "A spot order was placed.",
        "SPOT_ORDER_CONFIRMED": "A spot order was confirmed with a payment method.",
        "SPOT_ORDER_CANCELLED": "A spot order was cancelled.",
        "SPOT_ORDER_EXPIRED": "A spot order was left without a payment method for too long.",
        "CONTRACT_ORDER_PLACED": "An order of a term, additional licences or an upgrade was placed.",
        "CONTRACT_ORDER_CONFIRMED": "Such an order was confirmed with a payment method, and took effect.",
        "CONTRACT_ORDER_CANCELLED": "Such an order was cancelled.",
        "CONTRACT_ORDER_EXPIRED": "Such an order was left without a payment for too long.",
        "INVOICE_ISSUED": "An invoice was issued.",
        "CREDIT_NOTE_ISSUED": "A credit note took something back from an invoice.",
        "PAYMENT_RECEIVED": "Money arrived.",
        "PAYMENT_FAILED": "A card payment failed.",
        "PAYMENT_REFUNDED": "Money was given back.",
        "QUOTE_ISSUED": "A quote was issued.",
        "QUOTE_ACCEPTED": "A quote was accepted.",
        "PLAN_UPGRADED": "The rest of a term has a dearer plan.",
        "RENEWAL_CANCELLED": "A renewal was cancelled before it began.",
        "SPOT_STARTED": "A spot contract began to give capacity.",
        "SPOT_ENDED": "A spot contract ended.",
        "TERM_ADDED": "A term was added to the main contract: the first one or a renewal.",
        "ADDITIONAL_LICENCE_ADDED": "Units were added to a term of the main contract.",
        "POLICY_CHANGED": "The deactivation policy changed.",
    },
)
_register(
    ActorKind,
    "Who caused an event.",
    {
        "OWNER": "An owner-manager of the customer.",
        "SALES": "Sales.",
        "OPERATOR": "An operator.",
        "SYSTEM": "Time: nobody did anything.",
    },
)
_register(Language, "A language that documents are written in.", {"JA": "Japanese.", "EN": "English."})
_register(
    DocumentKind,
    "What a document is.",
    {
        "INVOICE": "A qualified invoice.",
        "CREDIT_NOTE": "Takes something back from an invoice.",
        "QUOTE": "An offer at held prices until its last day.",
    },
)
_register(
    ItemKind,
    "What an order or a line of a document is about.",
    {
        "SPOT": "A spot contract.",
        "MAIN_CONTRACT": "A paid contract from Free.",
        "RENEWAL": "A term that follows the last one.",
        "ADDITIONAL_LICENCE": "Units from a day until the end of the term.",
        "UPGRADE": "A dearer plan for the rest of the term.",
    },
)
_register(
    EntryKind,
    "What an entry in the ledger records.",
    {
        "INVOICE": "An invoice was issued: money is owed.",
        "CREDIT_NOTE": "Something was taken back: less is owed.",
        "PAYMENT": "Money arrived.",
        "REFUND": "Money was given back.",
    },
)
_register(
    QuoteStatus,
    "Where a quote stands.",
    {
        "OPEN": "It can be accepted.",
        "ACCEPTED": "It was accepted; its purchase says how that went on.",
        "EXPIRED": "Its last day is over.",
    },
)
