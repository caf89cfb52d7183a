import { createLocalStorage } from "@graphiql/toolkit";

// Own namespace: other GraphiQL pages on the same host and port must not lend us their tabs.
export function openStorage(tabs) {
  const storage = createLocalStorage({ namespace: "spotplan" });
  const offered = JSON.stringify(tabs);
  if (storage.getItem("offered") !== offered) {
    // The server offers other tabs than last time: the stored ones may name ids which are gone.
    storage.removeItem("graphiql:tabState");
    // GraphiQL shows the first tab's variables only when it finds them here, and takes the stored
    // query and variables for a tab of their own unless both are those of a stored tab.
    for (const part of ["query", "variables"]) {
      storage.setItem(`graphiql:${part}`, tabs[0]?.[part] ?? "");
    }
    storage.setItem("offered", offered);
  }
  return storage;
}
