import type { DemandStepInput } from "./gql/graphql.js";
import type { Day } from "./scalars.js";

/** A peak on a longer need, on top of what the contract has, from the first day of the next month on. */
export function peak(today: Day, accounts: number): DemandStepInput[] {
  const begin = new Date(`${today}T00:00:00Z`);
  begin.setUTCMonth(begin.getUTCMonth() + 1, 1);
  const day = (number: number): Day => new Date(begin.getTime() + number * 86_400_000).toISOString().slice(0, 10) as Day;
  return [
    { from: day(0), until: day(40), accounts: accounts + 150 },
    { from: day(40), until: day(64), accounts: accounts + 500 },
    { from: day(64), until: day(120), accounts: accounts + 220 },
  ];
}
