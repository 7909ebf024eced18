// A chat room is a NATS subject. This page reads /events/chat.<room> with one
// EventSource and writes to the same URL with POST; all else is presentation.

import { connect, explain } from "./connection.js";
import { Log, messageLine, noticeLine, read } from "./log.js";

const $ = (id) => document.getElementById(id);
const log = new Log($("log"), $("scroller"), $("newest"));

const missed = {
  retention: "Some messages are missing here: they are older than what the server keeps.",
  overrun: "Some messages are missing here: they came faster than this connection took them.",
  disconnected: "Some messages may be missing here: the server itself was cut off from NATS.",
};

const remembered = 2000; // ids of messages, more than there are lines

let room = "";
let leave = () => {};
let reconnects = 0;
let flow = 0;

// --- the room ---------------------------------------------------------------

const path = (room) => `/events/chat.${encodeURIComponent(room)}`;

// A link may hold anything. Control characters are in no subject, and must not
// reach the commands that the reader is invited to paste.
function tidy(name) {
  return (name ?? "").replace(/\p{Cc}/gu, "").trim().toWellFormed() || "room1";
}

function roomInURL() {
  return tidy(new URLSearchParams(location.search).get("room"));
}

const urlOf = (room) => `?${new URLSearchParams({ room })}`;

// A browser allows six connections to a server over HTTP/1.1, for all its tabs:
// so there is one per tab, and the old one ends before the next begins.
function enter(next) {
  leave();
  room = next;
  $("room").value = room;
  document.title = `${room} · Tailwater`;
  log.clear();
  hint();
  const seen = new Set();
  leave = connect(`${path(room)}?format=json&since=1h`, {
    onstate: showState,
    onmessage(data) {
      const message = read(data);
      // After a reset the last hour comes once more, with what is shown already.
      if (seen.has(message.id)) return;
      if (message.id) seen.add(message.id);
      if (seen.size > remembered) seen.delete(seen.values().next().value);
      log.add(messageLine(message, `chat.${room}`));
      $("water").style.setProperty("--flow", ++flow); // the water moves a little
    },
    oncontrol(name, { reason }) {
      log.add(noticeLine(name === "gap"
        ? missed[reason] ?? "Some messages are missing here."
        : "The server no longer knows where this page was: messages may be missing here."));
    },
  });
}

$("room").addEventListener("change", () => {
  const next = tidy($("room").value);
  $("room").value = next;
  if (next === room) return;
  history.pushState(null, "", urlOf(next));
  enter(next);
});
$("room").addEventListener("keydown", (event) => {
  // Enter also fires change, and then the next thing is to write something.
  if (event.key === "Enter" && !event.isComposing) $("text").focus();
});
addEventListener("popstate", () => enter(roomInURL()));

function showState(state, words, again) {
  if (again) reconnects++;
  const line = $("state");
  line.dataset.state = state;
  line.dataset.reconnects = reconnects;
  if (state === "refused") line.textContent = `refused: ${words}`;
  else line.textContent = words + (reconnects ? ` · reconnected ${reconnects}×` : "");
}

// What to paste into a terminal. The room may come from a stranger's link, so
// whatever a shell could take for more than a word is quoted.
function hint() {
  const quote = (word) =>
    /^[\p{L}\p{M}\p{N}_.:/%-]+$/u.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
  $("hint-nats").textContent = `nats pub ${quote(`chat.${room}`)} hello`;
  $("hint-curl").textContent = `curl -d hello ${quote(location.origin + path(room))}`;
}

// --- the name ---------------------------------------------------------------

// Storage may be forbidden; then the name lasts as long as the page.
const stored = {
  get() { try { return localStorage.getItem("tailwater.name"); } catch { return null; } },
  set(name) { try { localStorage.setItem("tailwater.name", name); } catch { /* see above */ } },
};
const guest = `guest-${100 + Math.floor(Math.random() * 900)}`;

$("name").value = stored.get() || guest;
stored.set($("name").value);
$("name").addEventListener("change", () => {
  $("name").value = $("name").value.trim() || guest;
  stored.set($("name").value);
});

// --- sending ----------------------------------------------------------------

let sending = false;
let attempt = {};

// The message is not drawn here: it appears when it comes back over the stream,
// as it does for everybody else.
$("composer").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = $("text").value;
  if (sending || !text.trim()) return;
  sending = true;
  const slow = setTimeout(say, 300, "sending …");
  const problem = await publish(path(room), JSON.stringify({ name: $("name").value.trim() || guest, text }));
  clearTimeout(slow);
  sending = false;
  say(problem);
  if (problem) return; // the text stays, to be sent again
  // Only what was sent goes: more may have been typed since.
  if ($("text").value.startsWith(text)) $("text").setRangeText("", 0, text.length);
  log.toEnd();
});

// publish answers with what went wrong, in words, or with nothing.
async function publish(url, body) {
  // If the answer to the last attempt was lost, the message may be stored all
  // the same. With the same key the second attempt does not store it twice.
  if (attempt.url !== url || attempt.body !== body) attempt = { url, body, key: randomKey() };
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json", "Idempotency-Key": attempt.key },
      body,
      signal: AbortSignal.timeout(20_000),
    });
    if (!response.ok) return `Not sent: ${await explain(response)}${retryAfter(response)}`;
    attempt = {};
    return "";
  } catch {
    return "Not sent: the server does not answer. The text is kept: send it again.";
  }
}

// crypto.randomUUID is missing where a page comes over plain HTTP.
function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("");
}

// Retry-After is a number of seconds, or a date.
function retryAfter(response) {
  const value = response.headers.get("Retry-After");
  if (!value) return "";
  const seconds = /^\d+$/.test(value) ? Number(value) : Math.ceil((Date.parse(value) - Date.now()) / 1000);
  return seconds > 0 ? ` (try again in ${seconds} s)` : "";
}

function say(words) {
  $("problem").textContent = words;
}

// ----------------------------------------------------------------------------

room = roomInURL();
history.replaceState(null, "", urlOf(room));
enter(room);
