"""``spotplan`` without the planner's workers, which take half of a start: for tests that start many servers."""

from cli.main import main
from planner.workers import PlannerPool


async def _no_workers(_pool: PlannerPool) -> None:
    """Whoever asks for a plan waits for a worker then."""


# Also where a server process of several imports this anew.
PlannerPool.warm = _no_workers  # type: ignore[method-assign,assignment]

if __name__ == "__main__":
    main()
