import "graphiql/setup-workers/vite";
import "graphiql/style.css";
import "@graphiql/plugin-explorer/style.css";
import "./page.css";

import { explorerPlugin } from "@graphiql/plugin-explorer";
import { GraphiQL } from "graphiql";
import { getOperationAST, parse } from "graphql";
import { createRoot } from "react-dom/client";

import { openStorage } from "./storage.js";
import { subscription } from "./subscription.js";

const config = JSON.parse(document.getElementById("spotplan-config").textContent);
const authorization = config.token ? { Authorization: `Bearer ${config.token}` } : {};

// GraphiQL names a tab after its operation, so the title goes into the query as a comment.
const tabs = (config.tabs ?? []).map(({ title, query, variables }) => ({
  query: title ? `# ${title}\n${query}` : query,
  variables,
}));

// GraphiQL's own parsed document is the previous tab's, too, until that moment.
function isSubscription(query, operationName) {
  try {
    return getOperationAST(parse(query), operationName)?.operation === "subscription";
  } catch {
    return false; // the server says what is wrong with it
  }
}

async function fetcher({ query, variables, operationName }, { headers } = {}) {
  // GraphiQL asks for the schema before its headers editor exists; any other request carries exactly
  // what the editor says, so that an emptied editor really is an anonymous request.
  if (operationName === "IntrospectionQuery") headers ??= authorization;
  // GraphiQL learns a tab's operation name a moment after it shows the tab: until then it would send
  // the previous tab's.
  if (!new RegExp(`\\b${operationName}\\b`).test(query)) operationName = undefined;
  const request = {
    headers: { Accept: "application/json", "Content-Type": "application/json", ...headers },
    body: JSON.stringify({ query, variables, operationName }),
  };
  if (isSubscription(query, operationName)) return subscription(request);
  const response = await fetch("/graphql", { method: "POST", ...request });
  if (response.headers.get("Content-Type")?.includes("json")) return response.json();
  return { errors: [{ message: `HTTP ${response.status}: ${await response.text()}` }] };
}

// No history plugin and no persisted headers: both would keep tokens in the browser's storage, and
// bring back those of a demo which has since been restarted.
createRoot(document.getElementById("root")).render(
  <>
    {config.notice && <p className="notice">{config.notice}</p>}
    <GraphiQL
      fetcher={fetcher}
      plugins={[explorerPlugin()]}
      storage={openStorage(tabs)}
      defaultTabs={tabs.length ? tabs : undefined}
      defaultHeaders={config.token && JSON.stringify(authorization, null, 2)}
      shouldPersistHeaders={false}
    >
      <GraphiQL.Logo>Spotplan</GraphiQL.Logo>
    </GraphiQL>
  </>,
);
