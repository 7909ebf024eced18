// The clients that run in Node. The argument is a list of jobs as JSON; each line of the output is an event that a client got.
import { EventSource as EventSource3 } from "eventsource3";
import { EventSource as EventSource4 } from "eventsource4";
import { EventSource as EventSource5 } from "eventsource5";
import EventSource2 from "eventsource2";
import { EventSource as Undici } from "undici";
import launchdarkly from "launchdarkly-eventsource";
import { listen } from "./names.mjs";

const clients = {
  eventsource2: EventSource2,
  eventsource3: EventSource3,
  eventsource4: EventSource4,
  eventsource5: EventSource5,
  undici: Undici,
  "launchdarkly-eventsource": launchdarkly.EventSource,
};

for (const { id, client, url } of JSON.parse(process.argv[2])) {
  const Client = clients[client];
  // Node's own agent ends a silent connection after five seconds, where launchdarkly-eventsource does not say otherwise.
  listen(new Client(url, { readTimeoutMillis: 45_000 }), (event) => console.log(JSON.stringify({ job: id, ...event })));
}
