// A page for who develops, on the first day, and for who operates, in trouble: it
// reads one subject or filter, and shows all that arrives. It may do what the
// caller may do, and no more. A token stays in its field.

import { examine } from "/web/inspect-buffer.js";
import { kinds } from "/web/inspect-copy.js";
import { Flow, draw, median } from "/web/inspect-graph.js";
import { address, authorised, explain, follow, storedAt } from "/web/inspect-stream.js";
import { addRow, delayOf, made, timeOf } from "/web/inspect-table.js";
import { words } from "/web/inspect-words.js";
import { ask, isWild, mayRead, stem } from "/web/permissions.js";

const $ = (id) => document.getElementById(id);
const mostMoments = 100;

let stop = () => {};
let flow = new Flow();
let held = []; // events that came while the table was held
let connections = 0;
let reading = {}; // subject, since and format of what arrives: the form may say something else by then
let isLive = true; // what arrives was published just now
let nats = "nats";
let kind = "curl";

const asked = () => ({
  subject: $("subject").value.trim(), since: $("since").value.trim(), format: $("format").value, token: $("token").value.trim(),
});
const parameters = ({ since, format }) => ({ since: since === "new" ? "" : since, format });

// --- reading ----------------------------------------------------------------

function read() {
  stop();
  const { token, ...shown } = asked();
  reading = shown;
  history.replaceState(null, "", `?${new URLSearchParams({ ...shown, format: shown.format })}`);
  flow = new Flow();
  connections = 0;
  clear();
  $("moments").replaceChildren();
  $("cursor").textContent = words.noPosition;
  if (!isWild(shown.subject)) $("to").value = shown.subject;
  showState("connecting", words.connecting);
  let began = performance.now();
  isLive = !parameters(shown).since;
  const end = follow(address(shown.subject, parameters(shown)), token, {
    onanswer(response) {
      moment("answer", words.answered(response.status, response.headers.get("Content-Type"), Math.round(performance.now() - began)));
      began = performance.now();
      showState("connecting", words.waiting);
    },
    onevent: arrive,
    onend(reason, ms) {
      moment("end", words.connectionEnded(reason, (ms / 1000).toFixed(1)));
      began = performance.now() + ms;
      showState("offline", words.reconnecting);
    },
    onrefused(detail) {
      moment("refused", detail);
      showState("refused", words.refused(detail));
      running(false);
    },
  });
  stop = () => {
    end();
    running(false);
  };
  running(true);
}

function running(is) {
  $("read").textContent = is ? words.stop : words.read;
  $("read").dataset.running = is;
}

// arrive takes an event: {raw, bytes, event, data, id, retry}, or {beat}.
function arrive({ beat, ...event }) {
  if (beat) return connections && heartbeat();
  if (event.id) $("cursor").textContent = event.id;
  const isOwn = event.event?.startsWith("tailwater:") && event.event !== "tailwater:binary";
  const { subject = reading.subject, headers } = isOwn || reading.format === "json" ? object(event.data) : {}; // a raw payload is the publisher's
  if (isOwn) control(event);
  const time = isOwn ? Date.now() : storedAt(event.id);
  const delay = isOwn || !isLive ? undefined : Date.now() - time; // of what was stored before, it says nothing
  if (!isOwn) flow.add(delay);
  flow.bytes += event.bytes;
  const line = { ...event, time, delay, subject, headers };
  if ($("hold").ariaPressed === "true") held.push(line);
  else addRow($("rows"), line);
  $("hold").textContent = held.length ? words.held(held.length) : words.hold;
  $("empty").hidden = true;
}

function control({ event, data }) {
  const name = event.slice("tailwater:".length), details = object(data);
  if (["open", "gap", "reset"].includes(name)) showState("open", words.open(connections++));
  if (name === "open") moment("open", words.openAt($("cursor").textContent));
  else if (name === "gap") moment("gap", words.gap(details.reason, details.after, details.first));
  else if (name === "reset") moment("reset", words.reset(details.reason));
  else if (name === "close") moment("end", words.closed(details.reason));
  else if (name === "synced") {
    isLive = true;
    moment("synced", words.synced);
  }
}

let beats;
// heartbeat counts those in a row in one line.
function heartbeat() {
  if (beats !== $("moments").firstElementChild || !beats) {
    moment("beat", words.heartbeat);
    beats = $("moments").firstElementChild;
    beats.count = 0;
  }
  beats.count++;
  beats.querySelector("span").textContent = beats.count === 1 ? words.heartbeat : words.heartbeats(beats.count, timeOf(Date.now()));
}

function moment(kind, text) {
  const line = made("li", "", kind);
  line.append(made("time", timeOf(Date.now())), made("span", text));
  $("moments").prepend(line);
  while ($("moments").childElementCount > mostMoments) $("moments").lastElementChild.remove();
  if (["gap", "reset", "end", "open", "refused"].includes(kind)) flow.mark(kind);
}

function showState(state, text) {
  $("state").dataset.state = state;
  $("state").textContent = text;
}

function object(json) {
  try {
    const value = JSON.parse(json);
    return value !== null && typeof value === "object" ? value : {};
  } catch {
    return {};
  }
}

function clear() {
  $("rows").replaceChildren();
  held = [];
  $("hold").textContent = words.hold;
  $("empty").hidden = false;
}

// --- figures ----------------------------------------------------------------

const sizes = ["B", "KiB", "MiB", "GiB"];

function sizeOf(bytes) {
  const power = Math.min(sizes.length - 1, Math.floor(Math.log2(Math.max(bytes, 1)) / 10));
  return `${(bytes / 1024 ** power).toFixed(power ? 1 : 0)} ${sizes[power]}`;
}

function figures() {
  if (document.hidden) return;
  const minute = flow.minute(), recent = minute.slice(-5);
  $("count").textContent = flow.events;
  $("rate").textContent = (recent.reduce((sum, { count }) => sum + count, 0) / recent.length).toFixed(1);
  $("delay").textContent = delayOf(median(minute.map(({ delay }) => delay).filter((delay) => delay !== undefined)));
  $("bytes").textContent = sizeOf(flow.bytes);
  $("rate-top").textContent = words.upTo(draw($("rates"), minute, ({ count }) => count));
  $("delay-top").textContent = words.upTo(delayOf(draw($("delays"), minute, ({ delay }) => delay)));
}

// --- publishing and copying -------------------------------------------------

async function publish(event) {
  event.preventDefault();
  const headers = authorised(asked().token, {
    ...($("event").value && { "Tailwater-Event": $("event").value }), ...($("key").value && { "Idempotency-Key": $("key").value }),
  });
  const began = performance.now();
  try {
    const answer = await fetch(address($("to").value.trim()), { method: "POST", headers, body: $("payload").value });
    const text = answer.ok ? `${answer.status} ${(await answer.text()).trim()}` : await explain(answer);
    $("receipt").textContent = `${text} · ${Math.round(performance.now() - began)} ms`;
    $("receipt").className = answer.ok ? "all" : "all bad";
  } catch (error) {
    $("receipt").textContent = error.message;
    $("receipt").className = "all bad";
  }
}

function showCode() {
  const wish = asked();
  const subject = wish.subject || "chat.room1", url = location.origin + address(subject, parameters(wish));
  $("code").textContent = kinds[kind]({ ...wish, subject, url, nats });
  for (const button of $("kinds").children) button.ariaPressed = String(button.textContent === kind);
}

for (const name of Object.keys(kinds)) {
  const button = made("button", name);
  button.type = "button";
  button.addEventListener("click", () => {
    kind = name;
    showCode();
  });
  $("kinds").append(button);
}

$("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText($("code").textContent);
    $("copy").textContent = words.copied;
  } catch {
    getSelection().selectAllChildren($("code")); // plain HTTP has no clipboard
  }
  setTimeout(() => ($("copy").textContent = words.copy), 2_000);
});

// --- the page ---------------------------------------------------------------

$("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  if ($("read").dataset.running !== "true") return read();
  stop();
  moment("end", words.stopped);
  showState("idle", words.stopped);
});
$("ask").addEventListener("input", showCode);
$("send").addEventListener("submit", publish);
$("clear").addEventListener("click", clear);
$("hold").addEventListener("click", () => {
  const isHeld = $("hold").ariaPressed !== "true";
  $("hold").ariaPressed = String(isHeld);
  if (isHeld) return;
  for (const line of held.splice(0)) addRow($("rows"), line);
  $("hold").textContent = words.hold;
});
$("test").addEventListener("click", async () => {
  $("test").disabled = true;
  $("verdict").replaceChildren();
  await examine($("to").value.trim() || asked().subject, asked().token, (text, kind = "") => $("verdict").append(made("p", text, kind)));
  $("test").disabled = false;
});

// What anyone may read is offered; the server decides all the same.
const permissions = await ask();
nats = permissions.nats || nats;
$("clock").hidden = !mayRead(permissions, "time.now");
if (!permissions.unknown) {
  for (const filter of permissions.subscribe) $("allowed").append(Object.assign(made("option"), { value: filter }));
  const first = permissions.subscribe[0] ?? "";
  $("subject").value = mayRead(permissions, "chat.room1") ? "chat.room1" : mayRead(permissions, first) ? first : stem(first);
}
const wished = new URLSearchParams(location.search);
for (const name of ["subject", "since", "format"]) if (wished.get(name)) $(name).value = wished.get(name);
$("to").value = $("subject").value;
showCode();
figures();
setInterval(figures, 1_000);
if (wished.get("subject")) read();
