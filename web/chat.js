// A page for one NATS subject: by default a chat room, which is the subject
// chat.<room>. It reads and writes /events/<subject> through /client.js; all else
// is presentation.

import { connect } from "/client.js";
import { $ } from "./dom.js";
import { hint } from "./hint.js";
import { Log, noticeLine } from "./log.js";
import { draw, read } from "./message.js";
import { ownName } from "./name.js";
import { Offers, address } from "./offers.js";
import { Offline } from "./offline.js";
import { Older } from "./older.js";
import { Outbox } from "./outbox.js";
import { ask, isWild, mayRead, mayWrite, stem, tellsWho } from "./permissions.js";
import { Rooms } from "./rooms.js";
import { Who, change, merge, tell } from "./who.js";
import { words } from "./words.js";
import { writing } from "./writing.js";

const log = new Log($("log"), $("scroller"), $("newest"));
const offers = new Offers($("offers"), { open: go, fill, retry });
const offline = new Offline($("offline"), retry);
const older = new Older($("older"), log, lineOf);
const outbox = new Outbox($("outbox"), { onstored: (id) => log.own(id), ontake: write });
const rooms = new Rooms($("rooms"), go);
const who = new Who($("who"));
const ownNames = new Set();
const name = ownName($("name"), () => connection && follow());

const remembered = 10_000; // messages that have been shown
const usual = "chat.room1";

let permissions;
let subject = ""; // empty until one is open
let connection;
let reconnects = 0;
let wasOpen = false; // this connection
let seen = new Set(); // keys of messages
let flow = 0;

// --- the subject ------------------------------------------------------------

const path = (subject) => `/events/${encodeURIComponent(subject)}`;

// stream returns the URL for the messages of the last hour, and for who is here.
function stream() {
  ownNames.add(name.value);
  const presence = tellsWho(permissions, subject) ? `&presence=1&name=${encodeURIComponent(name.value)}` : "";
  return `${path(subject)}?since=1h${presence}`;
}

// A link may hold anything. Subjects have no control characters and no blanks, and
// these must not reach the commands that the reader may paste.
function tidy(name) {
  return (name ?? "").trim().replace(/\s+/g, "-").replace(/\p{Cc}/gu, "").toWellFormed();
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
  say("idle", subscribe.length ? words.idleChoose : words.idleNothing);
  compose("idle");
  $("fields").hidden = !subscribe.length && !signIn;
}

// call labels the field: for rooms, or for whole subjects.
function call(isChat) {
  $("room").dataset.prefix = isChat ? "chat." : "";
  $("room-label").textContent = isChat ? words.room : words.subject;
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

function leave() {
  disconnect();
  who.forget();
  offers.hide();
  offline.hide();
  older.leave();
}

function disconnect() {
  const left = connection;
  connection = undefined;
  left?.close();
}

function retry() {
  connection?.reconnect();
}

function enter(next) {
  leave();
  subject = next;
  call(subject.startsWith("chat."));
  $("room").value = shown(subject);
  document.title = `${shown(subject)} · Tailwater`;
  log.clear();
  hint(permissions, subject, path);
  outbox.enter(path(subject));
  older.enter(path(subject));
  $("inspect").href = `/inspect?${new URLSearchParams({ subject, since: "1h" })}`;
  seen = new Set();
  follow();
}

// follow reads the room. It also begins anew under another name; then the last
// hour comes once more, as it does after a reset.
function follow() {
  disconnect();
  wasOpen = false;
  const mine = connect(stream(), {
    onmessage: receive,
    onopen: (opened, { id }) => older.begin(id),
    ongap({ reason }, { id }) {
      older.begin(id);
      log.add(noticeLine(words.missed[reason] ?? words.missedSome));
    },
    onreset(reset, { id }) {
      older.begin(id);
      log.add(noticeLine(words.reset));
    },
    onsynced: () => older.look(),
    onpresence,
    onstate: (state, why) => mine === connection && showState(state, why),
  });
  connection = mine;
}

function receive(event) {
  const message = read(event);
  if (seen.has(message.key)) return;
  seen.add(message.key);
  if (seen.size > remembered) seen.delete(seen.values().next().value);
  log.add(lineOf(message));
  $("water").style.setProperty("--flow", ++flow); // the water moves a little
}

// lineOf draws a message, and marks the reader's own.
function lineOf(message) {
  const line = draw(message, subject);
  line.classList.toggle("own", outbox.settle(message));
  return line;
}

let lastChange;

// Members who join or leave are a line in the log, one line for all at once.
function onpresence(details) {
  if (details.subject !== subject) return;
  who.show(details, name.value);
  const changed = change(details, ownNames, (name) => log.mentions(name));
  if (!changed) return;
  const merged = lastChange?.line === log.last ? merge(lastChange, changed) : undefined;
  const line = merged ? lastChange.line : noticeLine("");
  line.classList.add("change");
  line.names = (merged ?? changed).names;
  line.firstChild.textContent = tell(merged ?? changed);
  if (!merged) log.add(line);
  lastChange = { ...(merged ?? changed), line };
}

$("room").addEventListener("change", () => {
  const room = tidy($("room").value);
  if (room) go($("room").dataset.prefix + room);
  if (subject) $("room").value = shown(subject);
});
$("room").addEventListener("keydown", (event) => {
  if (event.key === "Escape") $("room").blur();
  // Enter also fires change; the next step is to write a message.
  if (event.key === "Enter" && !event.isComposing) $("text").focus();
});
$("name").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.isComposing) $("text").focus();
});
addEventListener("popstate", arrive);

// --- the state --------------------------------------------------------------

function showState(state, { reason, detail, status }) {
  if (state === "open" && wasOpen) reconnects++;
  wasOpen ||= state === "open";
  const times = reconnects ? words.reconnected(reconnects) : "";
  if (state === "offline" && !navigator.onLine) reason = "offline";
  if (state === "refused") say(state, words.refused(detail));
  else if (state === "offline") say(state, words.comingBack(words.reasons[reason] ?? words.reasons.network) + times);
  else if (state === "open") say(state, words.open + times);
  else say(state, reason === "nats" ? words.waiting : words.connecting);
  compose(state);
  outbox.isOpen = state === "open";
  if (state === "refused") return refuse(detail, status);
  offers.hide();
  if (state === "open") return arrived();
  who.hide();
  if (state === "offline" || reason === "nats") offline.show(reason, mayTry());
}

function arrived() {
  offline.hide();
  who.resume();
  rooms.visit(subject);
}

function refuse(detail, status) {
  offline.hide();
  who.hide();
  older.leave();
  offers.refuse({ detail, status }, subject, permissions, usual);
}

// say tells the state. Screen readers announce it, except for a lost connection:
// that is announced by the card, if it lasts.
function say(state, text) {
  $("state").ariaLive = state === "offline" ? "off" : "polite";
  $("state").dataset.state = state;
  $("state").dataset.reconnects = reconnects;
  $("state").textContent = text;
  $("lamp").title = text;
}

// mayTry reports whether a message can be written here; a cookie may allow more
// than the page knows.
const mayTry = () => (permissions.signIn ? !isWild(subject) : mayWrite(permissions, subject));

// compose shows the composer if the reader may write, or else says why not. Messages
// written without a connection are sent later, and the button says so.
function compose(state) {
  const writes = mayTry();
  const isHere = subject !== "" && state !== "refused";
  $("composer").hidden = !isHere || !writes;
  $("outbox").hidden = !isHere;
  $("composer").dataset.state = state;
  $("send").textContent = state === "open" || state === "connecting" ? words.send : words.sendLater;
  $("named").hidden = !isHere || !writes && !tellsWho(permissions, subject);
  $("reading").hidden = !isHere || writes;
  $("reading").textContent = isWild(subject) ? words.readingFilter : words.readingOnly;
  $("ask").hidden = $("composer").hidden || !name.isGuest();
  $("ask").firstChild.textContent = words.youAre(name.value);
}

// --- writing ----------------------------------------------------------------

$("ask").querySelector("button").addEventListener("click", () => $("name").select());
$("name").addEventListener("change", () => compose($("state").dataset.state));

writing((text) => {
  outbox.add(path(subject), name.value, text);
  log.toEnd();
});

// write puts a text back into the field, to be changed.
function write(text) {
  $("text").value = text;
  $("text").focus();
}

// ----------------------------------------------------------------------------

permissions = await ask();
$("clock").hidden = !mayRead(permissions, "time.now");
arrive();
if (!$("composer").hidden) $("text").focus();
