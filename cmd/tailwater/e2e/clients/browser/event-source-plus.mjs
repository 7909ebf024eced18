import { EventSourcePlus } from "event-source-plus";
import { url, tell } from "./job.mjs";

new EventSourcePlus(url).listen({
  onMessage: ({ event, data, id }) => tell({ type: event, data, id }),
});
