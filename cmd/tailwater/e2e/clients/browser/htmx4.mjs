import "./htmx4-global.mjs";
import "htmx4/dist/ext/hx-sse.js";
import { url, tell, whenLoaded } from "./job.mjs";

const tag = document.createElement("div");
tag.setAttribute("hx-sse:connect", url);
tag.addEventListener("htmx:sse:after:message", ({ detail: { message } }) =>
  tell({ type: message.event || "message", data: message.data, id: message.id }));
whenLoaded(() => {
  document.body.append(tag);
  htmx.process(tag);
});
