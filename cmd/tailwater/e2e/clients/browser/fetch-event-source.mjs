import { fetchEventSource } from "@microsoft/fetch-event-source";
import { url, tell, broke } from "./job.mjs";

fetchEventSource(url, {
  openWhenHidden: true,
  onmessage: ({ event, data, id }) => tell({ type: event || "message", data, id }),
}).then(() => broke("resolved: it does not come back"), broke);
