// An event stream, read with fetch: an EventSource shows neither the status nor
// the headers of the answer, nor the bytes.

import { words } from "/web/inspect-words.js";

// address returns the path for a subject, with parameters.
export function address(subject, parameters = {}) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value));
  return `/events/${encodeURIComponent(subject)}${query.size ? `?${query}` : ""}`;
}

// authorised returns request headers with a token, if there is one.
export const authorised = (token, headers = {}) => (token ? { ...headers, Authorization: `Bearer ${token}` } : headers);

// explain puts an answer that is an error into words.
export async function explain(response) {
  const problem = await response.json().catch(() => null);
  return `${response.status}: ${problem?.detail ?? problem?.title ?? (response.statusText || words.noReason)}`;
}

// events yields what arrives on a response: {raw, bytes, event, data, id, retry}
// for each event, and {beat: true} for a heartbeat.
export async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const encoder = new TextEncoder();
  let rest = "";
  for (let read; !(read = await reader.read()).done; ) {
    rest += read.value;
    for (let end; (end = rest.indexOf("\n")) >= 0; ) {
      if (rest.startsWith(":")) { // a comment stands between events
        yield { beat: true };
        rest = rest.slice(end + 1);
        continue;
      }
      const last = rest.indexOf("\n\n");
      if (last < 0) break;
      const raw = rest.slice(0, last + 2);
      rest = rest.slice(last + 2);
      yield { raw, bytes: encoder.encode(raw).length, ...fields(raw) };
    }
  }
}

function fields(raw) {
  const found = { data: [] };
  for (const line of raw.split("\n")) {
    const [, name, value] = /^(\w+):? ?(.*)$/.exec(line) ?? [];
    if (name === "data") found.data.push(value);
    else if (name) found[name] = value;
  }
  return { ...found, data: found.data.join("\n") };
}

// follow reads url until the returned function is called, and comes back with its
// position as an EventSource does.
//   onanswer(response)   the answer has begun
//   onevent(event)       see events
//   onend(text, ms)      the connection has ended, and is made again after ms
//   onrefused(text)      the answer is an error that stays
export function follow(url, token, { onanswer, onevent, onend, onrefused }) {
  const ending = new AbortController();
  const { signal } = ending;
  let id = "", retry = 2_000;
  const once = async () => {
    const headers = authorised(token, { Accept: "text/event-stream", ...(id && { "Last-Event-ID": id }) });
    const response = await fetch(url, { headers, signal, cache: "no-store" });
    if (!response.ok) throw Object.assign(new Error(await explain(response)), { status: response.status });
    onanswer(response);
    for await (const event of events(response)) {
      id = event.id ?? id;
      retry = Number(event.retry ?? retry);
      onevent(event);
    }
    throw new Error(words.ended);
  };
  const again = () => once().catch((error) => {
    if (signal.aborted) return;
    if (error.status >= 400 && error.status < 500 && error.status !== 429) return onrefused(error.message);
    onend(error.message, retry);
    const timer = setTimeout(again, retry);
    signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  });
  again();
  return () => ending.abort();
}

// storedAt returns when an event was stored, in ms since 1970: it stands in the id.
export function storedAt(id) {
  const times = (id ?? "").split(".").map((position) => parseInt(position.split("-")[2] ?? "", 36) / 1e6).filter(Boolean);
  return times.length ? Math.max(...times) : undefined;
}
