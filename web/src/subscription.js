// A subscription as the observable that GraphiQL expects: each server-sent event is an answer, and
// unsubscribing closes the request, so that the server stops searching.
export function subscription(request) {
  return {
    subscribe(observer) {
      const leaving = new AbortController();
      receive(request, leaving.signal, (answer) => observer.next(answer)).then(
        () => observer.complete(),
        (error) => leaving.signal.aborted || observer.error(error),
      );
      return { unsubscribe: () => leaving.abort() };
    },
  };
}

async function receive({ headers, body }, signal, next) {
  const response = await fetch("/graphql", {
    method: "POST",
    headers: { ...headers, Accept: "text/event-stream" },
    body,
    signal,
  });
  if (!response.headers.get("Content-Type")?.includes("event-stream"))
    throw new Error(`HTTP ${response.status}: ${await response.text()}`);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const events = (text + value).split("\n\n");
    text = events.pop();
    for (const event of events) {
      const [kind, data] = event.split("\n");
      if (kind === "event: next") next(JSON.parse(data.slice("data: ".length)));
    }
  }
}
