"""What a process does before its first problem, so that no question pays for loading and compiling."""

from datetime import date

from domain.contracts import BillingCycle, MainContract, Term
from domain.months import Period
from planner.case import Case
from planner.heuristics import Heuristics
from planner.problem import DemandStep, PlanningProblem
from planner.search import Search
from planner.solve import solve


def warm() -> None:
    """Load the solvers and compile all native code, which is kept beside its source for the next process."""
    import planner.branch  # noqa: PLC0415 # takes 0.4 s
    import planner.shortage_model  # noqa: F401, PLC0415

    year = Period(date(2026, 4, 1), date(2027, 4, 1))
    contract = MainContract((Term(year, "WARM", 1, 1, BillingCycle.MONTHLY, 1, 1),))
    demand = tuple(DemandStep(Period(date(2026, month, 1), date(2026, month, 9)), month) for month in (5, 7, 9))
    problem = PlanningProblem(contract, demand, year.starts_on, year.starts_on)
    solve(problem)
    case = Case(problem)
    search = Search(case.question(case.offers), None, 0.0)
    Heuristics(search.question, search.board).anneal(2)
