"""Made-up customers as ``plan-many`` reads them: contracts as they are sold, demand as people write it down."""

import math
from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import Any

from domain.months import ends_before

PLANS = ((5_000, 30_000), (15_000, 90_000))
"""Monthly and annual unit prices of the catalogue's plans."""
UNIT = 100


def customers(count: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Different customers, the same ones for the same seed; a few ask for what cannot be covered."""
    for number in range(count):
        yield customer(f"C{number:04}", Random(f"{seed}/{number}"))


def customer(name: str, random: Random) -> dict[str, Any]:
    """One customer's problem."""
    starts_on = date(2026, random.randint(1, 12), 1) + timedelta(days=random.choice([0, 0, 0, 14, 27, 28, 29, 30]))
    terms = _terms(starts_on, random)
    first, end = date.fromisoformat(terms[0]["starts_on"]), date.fromisoformat(terms[-1]["ends_before"])
    made: dict[str, Any] = {"name": name, "accounts_per_unit": UNIT, "terms": terms}
    if random.random() < 0.2:
        begin = first + timedelta(days=random.randrange(200))
        made["additional_licences"] = [{"from": str(begin), "until": terms[0]["ends_before"], "accounts": UNIT}]
    if random.random() < 0.3:
        begin = first + timedelta(days=random.randrange(200))
        until = min(end, ends_before(begin, random.randint(1, 4)))
        made["spots"] = [{"from": str(begin), "until": str(until), "accounts": UNIT * random.randint(1, 3)}]
    shape = random.choices([_events, _season, _forecast], [0.7, 0.2, 0.1])[0]
    base: int = terms[0]["accounts"]
    made["demand"] = shape(first, (end - first).days, base, random)
    return {**made, **_options(random)}


def _terms(starts_on: date, random: Random) -> list[dict[str, Any]]:
    monthly, annual = random.choice(PLANS)
    units = random.choice([1, 1, 2, 3, 5, 10, 30])
    terms: list[dict[str, Any]] = []
    for _ in range(random.choice([1, 1, 2])):
        end = ends_before(starts_on, 12)
        terms.append(
            {
                "starts_on": str(starts_on),
                "ends_before": str(end),
                "accounts": units * UNIT,
                "monthly_unit_price": monthly,
                "annual_unit_price": annual,
                "billing_cycle": random.choice(["MONTHLY", "ANNUAL"]),
            }
        )
        starts_on, units = end, units + random.choice([0, 1, 2])
    return terms


def _options(random: Random) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if random.random() < 0.15:
        options["orders_max"] = random.randint(2, 6)
    if random.random() < 0.1:
        options["order_fee"] = random.choice([500, 2_000])
    if random.random() < 0.1:
        options["budget"] = random.choice([20_000, 200_000])
    if random.random() < 0.2:
        options["include_additional_licences"] = True
    if random.random() < 0.1:
        options["months_max"] = random.randint(2, 6)
    return options


def _events(first: date, days: int, base: int, random: Random) -> list[dict[str, Any]]:
    """A few trainings one after the other; one in thirty ends when hardly any contract is left."""
    count = random.randint(1, 8)
    room = (days - 40) // count
    begins = [first + timedelta(days=number * room + random.randrange(room // 2)) for number in range(count)]
    lengths = [random.randint(1, room // 2) for _ in range(count)]
    events = [
        _step(begin, begin + timedelta(days=length), base + random.randint(1, 12) * UNIT // 2)
        for begin, length in zip(begins, lengths, strict=True)
    ]
    if random.random() < 1 / 30:
        end = first + timedelta(days=days)
        events.append(_step(end - timedelta(days=3), end + timedelta(days=3), base + UNIT))
    return events


def _season(first: date, days: int, base: int, random: Random) -> list[dict[str, Any]]:
    """Ten-day steps over the year."""
    height = random.randint(2, 8) * UNIT
    levels = [base + round(height * math.sin(2 * math.pi * offset / 365)) for offset in range(0, days - 40, 10)]
    return [
        _step(first + timedelta(days=10 * index), first + timedelta(days=10 * index + 10), max(0, level))
        for index, level in enumerate(levels)
    ]


def _forecast(first: date, days: int, base: int, random: Random) -> list[dict[str, Any]]:
    """A number for each day, weekends lower."""
    steps = []
    for offset in range(min(days, 365) - 40):
        day = first + timedelta(days=offset)
        level = base + random.gauss(0.5, 1) * UNIT - (day.weekday() >= 5) * UNIT
        steps.append(_step(day, day + timedelta(days=1), max(0, round(level))))
    return steps


def _step(begin: date, until: date, accounts: int) -> dict[str, Any]:
    return {"from": str(begin), "until": str(until), "accounts": accounts}
