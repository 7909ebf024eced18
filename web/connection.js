// One EventSource that stays connected. A plain EventSource reconnects when a
// connection breaks, but stops for good at any status other than 200. This code
// finds out whether the status is final (a wrong room, no permission), and
// otherwise starts again (a proxy without a server).

import { words } from "./words.js";

// Statuses that another attempt will not change.
const final = [400, 401, 403, 404, 405, 421];

// connect reads the stream at url, which must have a query. It returns close(),
// retry(), which reconnects at once, and move(url), which continues at another URL.
//   onstate(state, why, again)  state is connecting, open, lost or refused; why
//                               has a reason or a detail; again is true if this is
//                               a reconnect
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
    // A new EventSource knows no last event id, so the URL carries it.
    address = lastId ? `${url}&lastEventId=${encodeURIComponent(lastId)}` : url;
    source = new EventSource(address);
    // The response has begun, but the bridge may not have NATS yet: only the
    // first tailwater:… event promises messages.
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
      live = false; // the server keeps it open for a moment, so that this arrives
      onstate("lost", { reason });
    });
  }

  function remember(event) {
    if (event.lastEventId) lastId = event.lastEventId;
  }

  function begin() {
    if (live) return; // a gap can also arrive later
    onstate("open", {}, wasLive);
    live = wasLive = true;
    failures = 0;
    reason = "";
  }

  async function broken() {
    live = false;
    onstate("lost", { reason: reason || (navigator.onLine ? "network" : "offline") });
    const mine = source;
    if (mine.readyState !== EventSource.CLOSED) return; // the browser reconnects by itself
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

// whyClosed requests the same URL once more, because an EventSource does not show
// the status. It returns the reason if the refusal is final, else null.
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
    return null; // a network error or a timeout: temporary
  } finally {
    clearTimeout(limit);
    probe.abort(); // the stream of a 200 never ends
  }
}

const longest = 400; // characters of a reason

// explain describes a failed response: Tailwater's errors have a detail, others
// (from a proxy, say) at most a status.
export async function explain(response) {
  const problem = await response.json().catch(() => null);
  for (const text of [problem?.detail, problem?.title]) {
    if (typeof text === "string" && text) return text.length > longest ? `${text.slice(0, longest)}…` : text;
  }
  return words.answered(`${response.status} ${response.statusText}`.trim());
}

// When a server comes back, its readers should not reconnect all at once: the
// delay is random, between 1 s and a limit that doubles up to 30 s.
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
