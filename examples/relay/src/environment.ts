import {
  Environment,
  type FetchFunction,
  type GraphQLResponse,
  type GraphQLTaggedNode,
  Network,
  RecordSource,
  Store,
  getFragment,
  getSingularSelector,
} from "relay-runtime";

/** An environment on a server, and the names of the operations it has sent. */
export function environmentOn(address: string, token: string, persisted: boolean) {
  const sent: string[] = [];
  const send: FetchFunction = async ({ id, name, text }, variables) => {
    sent.push(name);
    const asked = persisted ? { documentId: `sha256:${id}` } : { query: text };
    const response = await fetch(`${address}/graphql`, {
      method: "POST",
      headers: {
        Accept: "application/graphql-response+json",
        Authorization: `Bearer ${token}`,
        "Content-Type": "application/json",
      },
      body: JSON.stringify({ ...asked, variables }),
    });
    return (await response.json()) as GraphQLResponse;
  };
  const environment = new Environment({ network: Network.create(send), store: new Store(new RecordSource()) });
  return { environment, sent };
}

interface FragmentKey {
  readonly " $data"?: unknown;
  readonly " $fragmentSpreads": unknown;
}

/** What a fragment selects, as the store has it now. In React, useFragment does this. */
export function read<Key extends FragmentKey>(environment: Environment, fragment: GraphQLTaggedNode, key: Key) {
  const selector = getSingularSelector(getFragment(fragment), key);
  if (!selector) throw new Error("The fragment was not spread where the key comes from");
  return environment.lookup(selector).data as NonNullable<Key[" $data"]>;
}
