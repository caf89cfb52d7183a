import { Client, cacheExchange, fetchExchange, subscriptionExchange } from "@urql/core";
import { persistedExchange } from "@urql/exchange-persisted";
import { createClient as createSocket } from "graphql-ws";
import WebSocket from "ws";

export interface Connection {
  /** The server, such as http://127.0.0.1:8000. */
  address: string;
  token: string;
  /** Whether operations are asked by their hashes, which an operator has registered. */
  persisted: boolean;
  /** How subscriptions come: over graphql-transport-ws, or as server-sent events. */
  streams: "websocket" | "events";
}

/** A client, and how its socket is closed when it is not needed any more. */
export function connect({ address, token, persisted, streams }: Connection): { client: Client; close: () => void } {
  const authorization = { Authorization: `Bearer ${token}` };
  const socket = createSocket({
    url: `${address.replace("http", "ws")}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: authorization,
  });
  const overSocket = subscriptionExchange({
    forwardSubscription: ({ query = "", variables, extensions }) => ({
      subscribe: (sink) => ({
        unsubscribe: socket.subscribe({ query, variables: { ...variables }, extensions: { ...extensions } }, sink),
      }),
    }),
  });
  const byHash = persistedExchange({
    enforcePersistedQueries: true,
    enableForMutation: true,
    enableForSubscriptions: true,
    generateHash: async (_, document) => hashOf(document),
  });
  const client = new Client({
    url: `${address}/graphql`,
    fetchOptions: { headers: authorization },
    fetchSubscriptions: streams === "events",
    exchanges: [
      cacheExchange,
      ...(persisted ? [byHash] : []),
      fetchExchange,
      ...(streams === "websocket" ? [overSocket] : []),
    ],
  });
  return { client, close: () => void socket.dispose() };
}

/** The hash that graphql-codegen has put beside a document. */
function hashOf(document: object): string {
  const { __meta__: meta } = document as { __meta__?: { hash?: string } };
  if (meta?.hash === undefined) throw new Error("The document was not generated: run npm run generate");
  return meta.hash;
}
