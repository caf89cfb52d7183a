// From the question to the order: reads the customer, asks for a plan, orders it and pays its first order. Prints JSON.
import { randomUUID } from "node:crypto";
import type { OperationResult } from "@urql/core";
import { type Connection, connect } from "./client.js";
import { peak } from "./demand.js";
import type { OrdersQuery, RefusalFragment, SearchSubscription, SpotOrderPlaceInput } from "./gql/graphql.js";
import { Capacity, Checkout, Orders, Place, Preview, Recommend, Search, Start } from "./operations.js";

const connection: Connection = {
  address: process.argv[2] ?? "http://127.0.0.1:8000",
  token: process.env["SPOTPLAN_TOKEN"] ?? "",
  persisted: process.env["SPOTPLAN_OPERATIONS"] === "persisted",
  streams: "websocket",
};
const { client, close } = connect(connection);

/** The data of an answer. A top-level error ends the program; refusals are data. */
function data<Data>({ data, error }: OperationResult<Data>): Data {
  if (error !== undefined) throw error;
  if (data === undefined) throw new Error("The server answered nothing");
  return data;
}

/** What a person is told: in our own words where the program knows the refusal, else in the server's. */
function told(refusal: RefusalFragment): string {
  switch (refusal.__typename) {
    case "EndsAfterContract":
      return `it would end on ${refusal.endsBefore}, the contract ends on ${refusal.contractEndsBefore}`;
    case "AccountsNotMultiple":
      return `${refusal.accounts} is not a multiple of ${refusal.accountsPerUnit}`;
    case "TermsNotAgreed":
      return `the terms of use are now those of ${refusal.currentVersion}`;
    case "PriceChanged":
      return `expected ${refusal.expectedTotal}, it costs ${refusal.currentTotal}`;
    default:
      return refusal.message;
  }
}

/** The last answer of a search, which is what spotPlanRecommend answers; those before it are on the way there. */
async function searched(streams: Connection["streams"]): Promise<string> {
  const { client, close } = connect({ ...connection, streams });
  const answer = await new Promise<SearchSubscription>((resolve, reject) => {
    client.subscription(Search, { input: question }).subscribe(({ data, error, hasNext }) => {
      if (error !== undefined) reject(error);
      else if (!hasNext && data !== undefined) resolve(data); // urql repeats the last answer when the stream has ended
    });
  });
  close();
  const { status, netTotal } = answer.recommendationSearch;
  return `${status} ${netTotal.amount} ${netTotal.currency}`;
}

async function place(input: SpotOrderPlaceInput) {
  const { spotOrderPlace: payload } = data(await client.mutation(Place, { input }));
  if (payload === null) throw new Error("A payload is null only beside a top-level error");
  return payload;
}

async function pay(orderId: string, expectedTotal: number): Promise<string | undefined> {
  const input = { orderId, expectedTotal, paymentMethod: "INVOICE" as const, idempotencyKey: randomUUID() };
  const { spotOrderCheckout: payload } = data(await client.mutation(Checkout, { input }));
  return payload?.errors[0] ? told(payload.errors[0]) : payload?.order?.status;
}

async function* pages(first: number): AsyncGenerator<string[]> {
  for (let after: string | null = null; ; ) {
    const { customer }: OrdersQuery = data(await client.query(Orders, { first, after }));
    if (customer === null) return;
    yield customer.spotOrders.edges.map(({ node }) => `${node.number} ${node.status}`);
    if (!customer.spotOrders.pageInfo.hasNextPage) return;
    after = customer.spotOrders.pageInfo.endCursor;
  }
}

const { viewer } = data(await client.query(Start, {}));
const contract = viewer.customer?.mainContract;
if (!viewer.customer || !contract) throw new Error("Sign in with the token of an owner whose contract is paid");
const { name, today } = viewer.customer;
const timeline = data(await client.query(Capacity, { from: today, until: contract.endsBefore }));
const capacity = timeline.customer?.capacityTimeline ?? [];

const question = { demand: { profile: peak(today, Math.max(...capacity.map(({ accounts }) => accounts))) } };
const { spotPlanRecommend: plan } = data(await client.query(Recommend, { input: question }));
const searches = { websocket: await searched("websocket"), events: await searched("events") };

const orders = [];
for (const { accounts, startsOn, months } of plan.orders) {
  if (months === null) continue; // an additional licence, and this question did not ask for any
  const { spotOrderPreview: preview } = data(await client.query(Preview, { input: { accounts, startsOn, months } }));
  const input = { accounts, startsOn, months, agreedTermsVersion: preview.termsVersion, idempotencyKey: randomUUID() };
  const { order, errors } = await place(input);
  if (order === null) throw new Error(errors.map(told).join("; "));
  // As after a lost connection: the same key with the same input is answered with the same order.
  const again = await place(input);
  orders.push({
    id: order.id,
    number: order.number,
    again: again.order?.number,
    previewed: preview.price?.total.minorUnits,
    total: order.price.total.minorUnits,
    agreed: preview.termsVersion,
  });
}
const [first] = orders;
if (first === undefined) throw new Error("Nothing has to be bought");

const payments = [await pay(first.id, first.total - 1), await pay(first.id, first.total)];

const refusals = [];
for (const changes of [
  { accounts: 150 },
  { startsOn: contract.endsBefore },
  { agreedTermsVersion: "1999-01-01" },
  { months: 0 },
]) {
  const usual = { accounts: 100, startsOn: today, months: 1, agreedTermsVersion: first.agreed };
  const { errors } = await place({ ...usual, ...changes, idempotencyKey: randomUUID() });
  refusals.push(...errors.map((each) => [each.__typename, told(each)]));
}

const stranger = connect({ ...connection, token: "unknown" });
const { error } = await stranger.client.query(Start, {});

const listed = [];
for await (const page of pages(2)) listed.push(page);

const report = {
  viewer: { role: viewer.role, name, capacity },
  plan: { status: plan.status, net: plan.netTotal, bound: plan.lowerBound.minorUnits, orders: plan.orders.length },
  searches,
  orders: orders.map(({ id: _, ...shown }) => shown),
  payments,
  refusals,
  pages: listed,
  stranger: error?.graphQLErrors.map(({ extensions }) => extensions["code"]),
};
console.log(JSON.stringify(report, null, 2));
stranger.close();
close();
