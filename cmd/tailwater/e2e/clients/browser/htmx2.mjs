import "./htmx2-global.mjs";
import "htmx-ext-sse";
import { url, tell } from "./job.mjs";

const tag = document.createElement("div");
tag.setAttribute("hx-ext", "sse");
tag.setAttribute("sse-connect", url);
tag.innerHTML = `<p sse-swap="message"></p><p sse-swap="tailwater:binary"></p>`;
document.body.append(tag);
tag.addEventListener("htmx:sseMessage", ({ detail }) => tell({ type: detail.type, data: detail.data, id: detail.lastEventId }));
htmx.process(tag);
