// The bridge's own module. It reads newline-delimited JSON, whatever the format in the URL; here it tells what an EventSource would.

import { connect } from "../../../../../web/client/client.js";
import { broke, tell, url } from "./job.mjs";

const isJSON = new URL(url).searchParams.get("format") === "json";

connect(url, {
  onmessage(message) {
    const { id, event = "message", data, data_base64: base64 } = message;
    if (isJSON) tell({ type: event, data: JSON.stringify(message), id });
    else if (base64 !== undefined) tell({ type: "tailwater:binary", data: base64, id });
    else tell({ type: event, data: data.replace(/\r\n?/g, "\n"), id });
  },
  onlarge: ({ id }) => tell({ type: "tailwater:large", data: "", id }),
  onstate: (state, { detail }) => ["refused", "closed"].includes(state) && broke(`${state}: ${detail}`),
});
