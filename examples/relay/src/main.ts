// Shows a customer's spot orders page by page, places one and cancels it. Prints what Relay's store holds, as JSON.
import { randomUUID } from "node:crypto";
import {
  ConnectionHandler,
  type GraphQLTaggedNode,
  type MutationParameters,
  commitMutation,
  fetchQuery,
  graphql,
} from "relay-runtime";
import type { mainOrderQuery } from "./__generated__/mainOrderQuery.graphql";
import type { mainPreviewQuery } from "./__generated__/mainPreviewQuery.graphql";
import type { mainStartQuery } from "./__generated__/mainStartQuery.graphql";
import type { ordersCancelMutation } from "./__generated__/ordersCancelMutation.graphql";
import pageQuery, { type ordersPageQuery } from "./__generated__/ordersPageQuery.graphql";
import type { ordersPlaceMutation } from "./__generated__/ordersPlaceMutation.graphql";
import type { orders_customer$key } from "./__generated__/orders_customer.graphql";
import type { orders_order$key } from "./__generated__/orders_order.graphql";
import { environmentOn, read } from "./environment";
import { CANCEL, CUSTOMER, ORDER, PLACE } from "./orders";

const START = graphql`
  query mainStartQuery {
    viewer {
      customer {
        id
        today
        mainContract {
          endsBefore
          accountsPerUnit
        }
        ...orders_customer
      }
    }
  }
`;

const PREVIEW = graphql`
  query mainPreviewQuery($input: SpotOrderInput!) {
    spotOrderPreview(input: $input) {
      termsVersion
    }
  }
`;

const ONE_ORDER = graphql`
  query mainOrderQuery($id: ID!) {
    node(id: $id) {
      ...orders_order @alias(as: "order")
    }
  }
`;

const address = process.argv[2] ?? "http://127.0.0.1:8000";
const persisted = process.env["SPOTPLAN_OPERATIONS"] === "persisted";
const { environment, sent } = environmentOn(address, process.env["SPOTPLAN_TOKEN"] ?? "", persisted);

function commit<Mutation extends MutationParameters>(
  mutation: GraphQLTaggedNode,
  variables: Mutation["variables"],
): Promise<Mutation["response"]> {
  return new Promise((resolve, reject) => {
    commitMutation<Mutation>(environment, { mutation, variables, onCompleted: resolve, onError: reject });
  });
}

async function main() {
  const start = await fetchQuery<mainStartQuery>(environment, START, {}).toPromise();
  const customer = start?.viewer.customer;
  const contract = customer?.mainContract;
  if (!customer || !contract) throw new Error("Sign in with the token of an owner whose contract is paid");

  const list = () => read<orders_customer$key>(environment, CUSTOMER, customer).spotOrders;
  const order = (key: orders_order$key) => read<orders_order$key>(environment, ORDER, key);
  const lines = () => list().edges.map(({ node }) => `${order(node).number} ${order(node).status}`);
  const firstPage = lines();

  while (list().pageInfo.hasNextPage) {
    const variables = { id: customer.id, after: list().pageInfo.endCursor };
    await fetchQuery<ordersPageQuery>(environment, pageQuery, variables).toPromise();
  }
  const allPages = lines();

  const item = { accounts: contract.accountsPerUnit, startsOn: customer.today, months: 1 };
  const preview = await fetchQuery<mainPreviewQuery>(environment, PREVIEW, { input: item }).toPromise();
  const agreed = { ...item, agreedTermsVersion: preview?.spotOrderPreview.termsVersion ?? "" };
  const connections = [ConnectionHandler.getConnectionID(customer.id, "orders_spotOrders")];
  const place = (changes: Partial<typeof item>) => {
    const input = { ...agreed, ...changes, idempotencyKey: randomUUID() };
    return commit<ordersPlaceMutation>(PLACE, { input, connections });
  };

  const refused = await place({ startsOn: contract.endsBefore });
  const refusals = refused.spotOrderPlace?.errors;
  const orderKey = (await place({})).spotOrderPlace?.order;
  if (!orderKey) throw new Error("The order was refused");
  const { id } = order(orderKey);
  const placed = lines();

  await commit<ordersCancelMutation>(CANCEL, { input: { orderId: id } });
  const cancelled = lines();

  const found = await fetchQuery<mainOrderQuery>(environment, ONE_ORDER, { id }).toPromise();
  const byId = found?.node?.order ? order(found.node.order) : null;
  console.log(JSON.stringify({ firstPage, allPages, refusals, placed, cancelled, byId, sent }, null, 2));
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
