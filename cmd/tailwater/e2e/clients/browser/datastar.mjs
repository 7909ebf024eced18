import "@starfederation/datastar/bundles/datastar";
import { url, tell } from "./job.mjs";

document.addEventListener("datastar-sse", ({ detail: { type, argsRaw } }) => {
  if (type === "datastar-merge-signals") tell({ type: "message", data: JSON.parse(argsRaw.signals).text });
});
const tag = document.createElement("div");
tag.setAttribute("data-on-load", `@get('${url}', {openWhenHidden: true, retryMaxCount: Infinity})`);
document.body.append(tag);
