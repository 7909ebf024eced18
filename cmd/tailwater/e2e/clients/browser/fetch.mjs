import { url, tell, broke } from "./job.mjs";

// recipe:begin
import { EventSourceParserStream } from "eventsource-parser/stream";

// read passes each event of a URL to show, and returns the answer that ends it: a refusal, or 204.
async function read(url, show) {
  let id = "", wait = 2_000;
  for (;;) {
    try {
      const answer = await fetch(url, { cache: "no-store", headers: id ? { "Last-Event-ID": id } : {} });
      if (answer.status === 204 || (answer.status >= 300 && answer.status < 500)) return answer;
      if (!answer.ok) throw new Error(`HTTP ${answer.status}`); // of a proxy
      const events = answer.body
        .pipeThrough(new TextDecoderStream())
        .pipeThrough(new EventSourceParserStream({ onRetry: (ms) => (wait = ms) }));
      for (const reader = events.getReader(); ; ) {
        const { done, value: event } = await reader.read();
        if (done) break;
        show(event);
        id = event.id ?? id;
      }
    } catch (error) {
      console.log("reconnecting:", error.message);
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}
// recipe:end

read(url, ({ event = "message", data, id }) => tell({ type: event, data, id })).then(({ status }) => broke(`ended with ${status}`), broke);
