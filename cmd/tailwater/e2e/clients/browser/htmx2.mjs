import "./htmx2-global.mjs";
import "htmx-ext-sse";
import { url, tell, whenLoaded } from "./job.mjs";

const tag = document.createElement("div");
tag.setAttribute("hx-ext", "sse");
tag.setAttribute("sse-connect", url);
tag.innerHTML = `<p sse-swap="message"></p><p sse-swap="tailwater:binary"></p>`;
tag.addEventListener("htmx:sseMessage", ({ detail }) => tell({ type: detail.type, data: detail.data, id: detail.lastEventId }));
whenLoaded(() => {
  document.body.append(tag);
  htmx.process(tag);
});
