// One message, parsed and drawn. Anybody may have published it, so everything goes
// through textContent and is never interpreted as markup.

import { fill, layOut } from "./content.js";
import { copyButton } from "./copy.js";
import { element } from "./dom.js";
import { language } from "./language.js";
import { words } from "./words.js";

const time = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const full = new Intl.DateTimeFormat(language, { dateStyle: "full", timeStyle: "medium" });
const longestName = 48;

// read takes a message of the client apart, and its payload, which is
// {"name", "text"} if it comes from this page. Its key is its own in every room:
// the id also says where the rest of the connection stood.
export function read({ id, subject, time, data, data_base64: base64 }) {
  const common = { id, subject, time, key: `${subject} ${time}` };
  if (typeof base64 === "string") {
    return { ...common, bytes: Math.floor((base64.replace(/=+$/, "").length * 3) / 4) };
  }
  const said = object(data);
  if (typeof said?.text !== "string") return { ...common, payload: data, raw: data };
  const name = typeof said.name === "string" ? said.name.trim() : "";
  return { ...common, payload: data, name: name || words.someone, text: said.text };
}

// positions returns the positions of an id without their times: one of them is what
// a POST has answered.
export const positions = (id) => String(id).split(".").map((position) => position.split("-", 2).join("-"));

// draw draws what read has found, in a room whose subject is home.
export function draw(message, home) {
  const { name, text, raw, bytes } = message;
  const line = name === undefined ? drawRaw(raw, bytes) : drawSaid(name, text);
  const stamped = stamp(message.time);
  line.querySelector(".who").after(stamped);
  line.dataset.id = message.id;
  line.dataset.key = message.key;
  line.dataset.at = stamped.dateTime;
  // In a room with wildcards, each message shows its subject.
  if (typeof message.subject === "string" && message.subject !== home) {
    stamped.after(element("span", "subject", message.subject));
    line.dataset.from += message.subject;
  }
  return line;
}

// drawOwn draws a message that is not stored yet.
export function drawOwn({ name, text }) {
  const line = drawSaid(name, text);
  line.classList.add("own", "pending");
  return line;
}

function drawSaid(name, text) {
  const line = element("div", "message");
  line.dataset.from = `name ${name}`;
  line.style.setProperty("--hue", hue(name));
  const who = element("span", "who", name.length > longestName ? `${name.slice(0, longestName).toWellFormed()}…` : name);
  who.title = name;
  add(line, who, text, text);
  return line;
}

// Published on the subject by something else than this page.
function drawRaw(raw, bytes) {
  const isText = bytes === undefined;
  const line = element("div", isText ? "message raw" : "message binary");
  line.dataset.from = "nats ";
  const who = element("span", "who", "NATS");
  who.title = words.fromNATS;
  add(line, who, isText ? layOut(raw) || words.empty : words.binary(bytes), raw);
  return line;
}

function add(line, who, shown, copied) {
  const what = element("div", "what");
  what.dir = "auto";
  line.append(who, what);
  fill(what, shown);
  if (copied) line.append(copyButton(() => copied));
}

function stamp(rfc3339) {
  const sent = typeof rfc3339 === "string" ? new Date(rfc3339) : new Date();
  const made = element("time");
  if (Number.isNaN(sent.valueOf())) return made;
  made.dateTime = sent.toISOString();
  made.textContent = time.format(sent);
  made.title = full.format(sent);
  return made;
}

function object(json) {
  try {
    const value = JSON.parse(json);
    return value !== null && typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

// hue returns the colour of a name, the same in every browser (FNV-1a).
function hue(name) {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return hash % 360;
}
