"""What is counted and measured, for Prometheus; all of it in this process since it started.

A label has few values, none of them chosen by clients or naming a customer: fields of the schema, codes, routes.
"""

from functools import lru_cache
from typing import TypeVar

from prometheus_client import Counter, Histogram, disable_created_metrics

Metric = TypeVar("Metric", Counter, Histogram)

disable_created_metrics()  # type: ignore[no-untyped-call] # a second series for each, which nobody draws

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

REQUEST_SECONDS = Histogram("spotplan_request_seconds", "HTTP requests.", ["route", "status"], buckets=SECONDS)
OPERATION_SECONDS = Histogram(
    "spotplan_operation_seconds", "GraphQL operations, by their root field.", ["operation"], buckets=SECONDS
)
OPERATIONS = Counter(
    "spotplan_operations", "GraphQL operations: ok, error, invalid, crash, left.", ["operation", "outcome"]
)
ERRORS = Counter("spotplan_errors", "Errors of answers, and refusals in payloads of mutations.", ["code"])
SOLVE_SECONDS = Histogram(
    "spotplan_solve_seconds",
    "Solves, waiting for a worker included; answers from the cache are none.",
    ["outcome"],
    buckets=SECONDS,
)
SOLVE_GAP = Histogram(
    "spotplan_solve_gap",
    "Of the plans that were found: how much cheaper an unknown one could be, as a share of the cost.",
    buckets=(0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
)
FALLS = Counter("spotplan_capacity_falls", "Falls of capacity that were handled and written down.")


@lru_cache(maxsize=4_096)
def labelled(metric: Metric, *labels: str | int) -> Metric:
    """The metric's numbers for some labels: looking them up takes the library longer than counting."""
    return metric.labels(*labels)
