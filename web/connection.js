// One EventSource, and what it takes to keep it: a plain EventSource comes back
// by itself when a connection breaks, but gives up for good on any answer other
// than 200. This finds out whether that answer was meant (a wrong room, no
// permission), and starts again where it was not (a proxy with nobody behind it).

import { words } from "./words.js";

// The answers that trying again will not change.
const final = [400, 401, 403, 404, 405, 421];

// connect reads the stream at url, which must have a query. It returns close(),
// retry(), which does not wait any longer, and move(url), which reads on elsewhere.
//   onstate(state, why, again)  state is connecting, open, lost or refused; why
//                               has a reason or a detail; again is true where an
//                               open is a return
//   onmessage(data)             one message
//   oncontrol(name, details)    gap or reset: messages may be missing
//   onpresence(details)         who is here
export function connect(url, { onstate, onmessage, oncontrol, onpresence }) {
  let source, timer, probe;
  let address = url;
  let lastId = "";
  let live = false;
  let wasLive = false;
  let failures = 0;
  let reason = "";

  const page = new AbortController();
  addEventListener("online", retry, page);
  // A page that the browser keeps for the way back is not here meanwhile.
  addEventListener("pagehide", stop, page);
  addEventListener("pageshow", (event) => event.persisted && retry(), page);
  addEventListener("offline", () => {
    live = false;
    onstate("lost", { reason: "offline" });
  }, page);

  function open() {
    // A new EventSource has forgotten its place, so it goes into the URL.
    address = lastId ? `${url}&lastEventId=${encodeURIComponent(lastId)}` : url;
    source = new EventSource(address);
    // The response has begun, but the bridge may still be without NATS: only
    // the first tailwater:… event says that messages will come.
    source.onopen = () => onstate("connecting", { reason: "nats" });
    source.onerror = broken;
    source.onmessage = (event) => {
      remember(event);
      onmessage(event.data);
    };
    for (const name of ["open", "gap", "reset"]) {
      source.addEventListener(`tailwater:${name}`, (event) => {
        remember(event);
        begin();
        if (name !== "open") oncontrol(name, parse(event.data));
      });
    }
    source.addEventListener("tailwater:presence", (event) => {
      remember(event);
      onpresence(parse(event.data));
    });
    source.addEventListener("tailwater:close", (event) => {
      ({ reason } = parse(event.data));
      live = false; // it stays open for a moment, so that this can be read
      onstate("lost", { reason });
    });
  }

  function remember(event) {
    if (event.lastEventId) lastId = event.lastEventId;
  }

  function begin() {
    if (live) return; // a gap can also come later
    onstate("open", {}, wasLive);
    live = wasLive = true;
    failures = 0;
    reason = "";
  }

  async function broken() {
    live = false;
    onstate("lost", { reason: reason || (navigator.onLine ? "network" : "offline") });
    const mine = source;
    if (mine.readyState !== EventSource.CLOSED) return; // the browser does it
    probe = new AbortController();
    const refusal = await whyClosed(address, probe);
    if (page.signal.aborted || mine !== source) return;
    if (refusal) onstate("refused", { detail: refusal });
    else timer = setTimeout(open, delay(failures++));
  }

  function stop() {
    source.close();
    probe?.abort();
    clearTimeout(timer);
  }

  function retry() {
    stop();
    live = false;
    onstate("connecting", { reason: "connecting" });
    open();
  }

  onstate("connecting", { reason: "connecting" });
  open();

  return {
    retry,
    move(next) {
      url = next;
      stop();
      live = wasLive = false;
      open();
    },
    close() {
      page.abort();
      stop();
    },
  };
}

// whyClosed asks the same URL once more, because an EventSource does not tell
// the status. It answers in words if the refusal is final, else with null.
async function whyClosed(address, probe) {
  const limit = setTimeout(() => probe.abort(), 10_000);
  try {
    const response = await fetch(address, {
      headers: { Accept: "application/problem+json, text/event-stream" },
      cache: "no-store",
      signal: probe.signal,
    });
    return final.includes(response.status) ? await explain(response) : null;
  } catch {
    return null; // the network, or too slow: that passes
  } finally {
    clearTimeout(limit);
    probe.abort(); // a 200 is a stream that would never end
  }
}

const longest = 400; // of the characters that a reason may have

// explain puts a failed response into words: Tailwater's errors say what is
// wrong in their detail, others (a proxy's, say) have a status at most.
export async function explain(response) {
  const problem = await response.json().catch(() => null);
  for (const text of [problem?.detail, problem?.title]) {
    if (typeof text === "string" && text) return text.length > longest ? `${text.slice(0, longest)}…` : text;
  }
  return words.answered(`${response.status} ${response.statusText}`.trim());
}

// When a server comes back, its readers should not come in one wave: between
// 1 s and a limit that doubles up to 30 s.
function delay(failures) {
  const limit = Math.min(30_000, 2_000 * 2 ** failures);
  return 1_000 + Math.random() * (limit - 1_000);
}

function parse(data) {
  try {
    return JSON.parse(data) ?? {};
  } catch {
    return {};
  }
}
