// What was said before the page came. A poll reads forwards from a moment; so
// the moments go back in growing steps, until one finds something.

import { read } from "./message.js";

const page = 100; // messages at once
const hour = 3_600_000;
const steps = [1, 6, 48, 24 * 14];

// older returns up to a page of messages of a subject before the one with this
// id and time, the oldest first. None: there is nothing older.
export async function older(path, id, at) {
  const from = Date.parse(at);
  for (const step of [...steps.map((hours) => new Date(from - hours * hour).toISOString()), "all"]) {
    const found = await before(`${path}?format=json&poll=1&limit=10000&since=${encodeURIComponent(step)}`, id, from);
    if (found.length) return found;
  }
  return [];
}

// before reads until it finds what is known.
async function before(url, id, from) {
  const enough = new AbortController();
  const response = await fetch(url, { cache: "no-store", signal: AbortSignal.any([enough.signal, AbortSignal.timeout(20_000)]) });
  if (!response.ok) throw new Error(response.statusText);
  const found = [];
  for await (const line of lines(response.body)) {
    const message = read(line);
    if (message.event?.startsWith("tailwater:")) continue;
    if (message.id === id || Date.parse(message.time) > from) break;
    found.push(message);
    if (found.length > page) found.shift();
  }
  enough.abort();
  return found;
}

async function* lines(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (let read; !(read = await reader.read()).done; ) {
    const all = (rest + read.value).split("\n");
    rest = all.pop();
    yield* all.filter((line) => line);
  }
  if (rest) yield rest;
}
