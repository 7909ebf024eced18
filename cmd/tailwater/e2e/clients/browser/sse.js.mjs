import { SSE } from "sse.js";
import { url, tell } from "./job.mjs";
import { names } from "../names.mjs";

const source = new SSE(url, { autoReconnect: true });
for (const type of names)
  source.addEventListener(type, (e) => tell({ type, data: e.data, id: e.lastEventId }));
