import "@starfederation/datastar/bundles/datastar";
import { url, tell, whenLoaded } from "./job.mjs";

document.addEventListener("datastar-sse", ({ detail: { type, argsRaw } }) => {
  if (type === "datastar-merge-signals") tell({ type: "message", data: JSON.parse(argsRaw.signals).text });
});
const tag = document.createElement("div");
tag.setAttribute("data-on-load", `@get('${url}', {openWhenHidden: true, retryMaxCount: Infinity})`);
whenLoaded(() => document.body.append(tag)); // Datastar sees new tags by itself
