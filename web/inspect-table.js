// The table of events. What strangers have published goes through textContent.

import { words } from "/web/inspect-words.js";
import { language } from "/web/language.js";

const most = 200; // rows

const clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23" });
export const timeOf = (ms) => (ms === undefined ? "–" : clock.format(ms));

export function made(tag, text = "", name = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  if (name) element.className = name;
  return element;
}

// delayOf spells milliseconds.
export const delayOf = (ms) => (ms === undefined ? "–" : Math.abs(ms) < 10_000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 1000)} s`);

// row returns the two rows of an event: what it is, and, once that was opened, all of it.
export function row({ raw, bytes, event, id, time, subject, delay, headers }) {
  const line = made("tr"), more = made("tr", "", "more"), opener = made("button", timeOf(time));
  opener.type = "button";
  opener.setAttribute("aria-expanded", "false");
  const first = made("td");
  first.append(opener);
  const cells = [[subject, "subject"], [id ?? "–", "id"], [event ?? "message", event?.startsWith("tailwater:") ? "own" : ""], [String(bytes), "number"], [delayOf(delay), "number"]];
  line.append(first, ...cells.map(([text, name]) => Object.assign(made("td", text, name), { title: name === "id" || name === "subject" ? text : "" })));
  more.hidden = true;
  opener.addEventListener("click", () => {
    more.hidden = !more.hidden;
    opener.setAttribute("aria-expanded", String(!more.hidden));
    if (!more.hasChildNodes()) more.append(details(raw, headers, words.facts(id ?? words.noID, bytes, delayOf(delay))));
  });
  return [line, more];
}

function details(raw, headers = {}, facts) {
  const cell = made("td");
  cell.colSpan = [...document.querySelectorAll("th")].filter((head) => head.offsetParent !== null).length; // a phone shows fewer
  cell.append(made("p", facts, "header"));
  for (const [name, values] of Object.entries(headers)) {
    for (const value of values) cell.append(made("p", `${name}: ${value}`, "header"));
  }
  const bytes = made("pre", raw);
  bytes.tabIndex = 0;
  bytes.setAttribute("aria-label", words.rawBytes);
  cell.append(bytes);
  return cell;
}

export function addRow(body, event) {
  body.prepend(...row(event));
  while (body.childElementCount > 2 * most) body.lastElementChild.remove();
}
