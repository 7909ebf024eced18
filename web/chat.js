// A page for one NATS subject: by default a chat room, which is the subject
// chat.<room>. It reads /events/<subject> with one EventSource and writes to the
// same URL with POST; everything else is presentation.

import { connect } from "./connection.js";
import { Log, messageLine, noticeLine, read } from "./log.js";
import { Offers, address } from "./offers.js";
import { ask, isWild, mayRead, mayWrite, stem } from "./permissions.js";
import { publish } from "./publish.js";

const $ = (id) => document.getElementById(id);
const log = new Log($("log"), $("scroller"), $("newest"));
const offers = new Offers($("offers"), { open: go, fill });

const missed = {
  retention: "Some messages are missing here: the server no longer stores them.",
  overrun: "Some messages are missing here: they arrived faster than this connection could receive them.",
  disconnected: "Some messages may be missing here: the server was disconnected from NATS.",
};

const remembered = 2000; // message ids; more than there are lines
const usual = "chat.room1";

let permissions;
let subject = ""; // empty until one is open
let leave = () => {};
let reconnects = 0;
let flow = 0;

// --- the subject ------------------------------------------------------------

const path = (subject) => `/events/${encodeURIComponent(subject)}`;

// A link may hold anything. Subjects have no control characters, and these must
// not reach the commands that the reader may paste.
function tidy(name) {
  return (name ?? "").replace(/\p{Cc}/gu, "").trim().toWellFormed();
}

// subjectInURL returns the subject in the page's URL, or "".
function subjectInURL() {
  const query = new URLSearchParams(location.search);
  const whole = tidy(query.get("subject"));
  return whole || (query.has("room") ? `chat.${tidy(query.get("room")) || "room1"}` : "");
}

// arrive opens the subject of the URL, else the usual room if it may be read, or
// else offers what may be read.
function arrive() {
  const named = subjectInURL();
  if (named || mayRead(permissions, usual)) {
    enter(named || usual);
    history.replaceState(null, "", address(subject));
    return;
  }
  leave();
  subject = "";
  const { subscribe, signIn } = permissions;
  call(subscribe.some((filter) => filter.startsWith("chat.")));
  const choose = subscribe.find((filter) => isWild(filter) && !mayRead(permissions, filter));
  $("room").value = choose ? shown(stem(choose)) : "";
  document.title = "Tailwater";
  log.clear();
  offers.show(permissions, usual);
  showState("idle", subscribe.length ? "choose what to read" : "nothing to read");
  document.querySelector(".fields").hidden = !subscribe.length && !signIn;
}

// call labels the field: for rooms, or for whole subjects.
function call(isChat) {
  $("room").dataset.prefix = isChat ? "chat." : "";
  $("room-label").textContent = isChat ? "Room" : "Subject";
}

// shown returns a subject as the field shows it.
const shown = (subject) => subject.slice($("room").dataset.prefix.length);

// fill puts the beginning of a subject into the field, for the reader to complete.
function fill(beginning) {
  call(beginning.startsWith("chat."));
  const field = $("room");
  field.value = shown(beginning);
  field.focus();
  field.setSelectionRange(field.value.length, field.value.length);
}

function go(next) {
  if (next === subject) return;
  history.pushState(null, "", address(next));
  enter(next);
}

// Over HTTP/1.1 a browser opens six connections to a server, for all its tabs. So
// a tab uses one, and closes it before it opens the next.
function enter(next) {
  leave();
  offers.hide();
  subject = next;
  call(subject.startsWith("chat."));
  $("room").value = shown(subject);
  document.title = `${shown(subject)} · Tailwater`;
  log.clear();
  hint();
  const seen = new Set();
  leave = connect(`${path(subject)}?format=json&since=1h`, {
    onstate: showState,
    onmessage(data) {
      const message = read(data);
      // After a reset the last hour arrives again, with messages already shown.
      if (seen.has(message.id)) return;
      if (message.id) seen.add(message.id);
      if (seen.size > remembered) seen.delete(seen.values().next().value);
      log.add(messageLine(message, next));
      $("water").style.setProperty("--flow", ++flow); // the water moves a little
    },
    oncontrol(name, { reason }) {
      log.add(noticeLine(name === "gap"
        ? missed[reason] ?? "Some messages are missing here."
        : "The server no longer knows this page's position: messages may be missing here."));
    },
  });
}

$("room").addEventListener("change", () => {
  const name = tidy($("room").value);
  if (name) go($("room").dataset.prefix + name);
  else $("room").value = subject && shown(subject);
});
$("room").addEventListener("keydown", (event) => {
  // Enter also fires change; the next step is to write a message.
  if (event.key === "Enter" && !event.isComposing) $("text").focus();
});
addEventListener("popstate", arrive);

function showState(state, words, again) {
  if (again) reconnects++;
  const line = $("state");
  line.dataset.state = state;
  line.dataset.reconnects = reconnects;
  if (state === "refused") line.textContent = `refused: ${words}`;
  else line.textContent = words + (reconnects ? ` · reconnected ${reconnects}×` : "");
  compose(state);
}

// compose shows the composer if the reader may write, or else says why not.
function compose(state) {
  const writes = permissions.signIn ? !isWild(subject) : mayWrite(permissions, subject);
  const live = subject !== "" && state !== "refused";
  $("composer").hidden = !live || !writes;
  $("reading").hidden = !live || writes;
  $("reading").textContent = isWild(subject)
    ? "Reading only: a message goes to one subject, and this is a filter."
    : "Reading only: writing here requires TAILWATER_ANONYMOUS_PUBLISH to allow it.";
  if (state === "refused" && !permissions.unknown) offers.show(permissions, usual);
}

// The commands to paste into a terminal. The subject may come from anybody's link,
// so everything special to a shell is quoted.
function hint() {
  const quote = (word) =>
    /^[\p{L}\p{M}\p{N}_.:/%-]+$/u.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
  const one = subject.split(".").map((token) => (isWild(token) ? "a" : token)).join(".");
  const writes = mayWrite(permissions, one);
  $("hint-words").textContent = mayWrite(permissions, subject)
    ? "Write below, or publish from a terminal. Both arrive here:"
    : "Messages published from a terminal arrive here:";
  $("hint-nats").textContent = `nats pub ${quote(one)} hello`;
  $("hint-curl").textContent = writes ? `curl -d hello ${quote(location.origin + path(one))}` : "";
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

// The message is not drawn here: it appears when it arrives on the stream, as for
// every other reader.
$("composer").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = $("text").value;
  if (sending || !text.trim()) return;
  sending = true;
  const slow = setTimeout(say, 300, "sending …");
  const problem = await publish(path(subject), JSON.stringify({ name: $("name").value.trim() || guest, text }));
  clearTimeout(slow);
  sending = false;
  say(problem);
  if (problem) return; // the text stays and can be sent again
  // Remove only what was sent: the user may have typed more since.
  if ($("text").value.startsWith(text)) $("text").setRangeText("", 0, text.length);
  log.toEnd();
});

function say(words) {
  $("problem").textContent = words;
}

// ----------------------------------------------------------------------------

permissions = await ask();
arrive();
if (!$("composer").hidden) $("text").focus();
