// Who is here: the count in the header, the list behind it, and words for those
// who come and go.

import { element } from "./dom.js";
import { isGuest } from "./name.js";
import { words } from "./words.js";

const mostNames = 4, longestName = 40;

export class Who {
  #details;
  #count;
  #members;

  // The details hold a summary and a list.
  constructor(details) {
    this.#details = details;
    [this.#count, this.#members] = details.children;
    document.addEventListener("click", (event) => {
      if (!details.contains(event.target)) details.open = false;
    });
    details.addEventListener("keydown", (event) => {
      if (event.key === "Escape") details.open = false;
    });
  }

  // show takes what the bridge tells; own is the reader's own name.
  show({ count, members = [] }, own) {
    this.#details.hidden = typeof count !== "number";
    if (this.#details.hidden) return;
    this.#count.textContent = words.here(count);
    const items = members.map((member) => row(member, own));
    const nameless = count - members.length;
    if (nameless > 0) items.push(element("li", "nameless", words.nameless(nameless)));
    this.#members.replaceChildren(...items);
  }

  // resume shows what was known: a connection that continues is not told again.
  resume() {
    this.#details.hidden = !this.#count.textContent;
  }

  forget() {
    this.#count.textContent = "";
    this.hide();
  }

  hide() {
    this.#details.hidden = true;
    this.#details.open = false;
  }
}

function row({ name, user }, own) {
  const item = element("li");
  item.append(element("span", "name", short(name)));
  if (name === own) item.append(element("span", "badge", words.you));
  if (user) item.append(element("span", "badge", words.signedIn));
  return item;
}

// change returns {verb, names} of those who came or left; or nothing where nobody
// did. It leaves out the names that the reader has or had, and guests who leave and
// of whom the log says nothing: most of them have only chosen a name.
export function change({ type, joined, left }, own, isMentioned) {
  const verb = { join: "came", leave: "left" }[type];
  const isTold = (name) => verb === "came" || !isGuest(name) || isMentioned(name);
  const names = ((verb === "came" ? joined : left) ?? []).filter((name) => name && !own.has(name) && isTold(name));
  return verb && names.length ? { verb, names } : undefined;
}

// merge adds a change to the one before it, if one line can tell both: others come,
// others leave, or a guest leaves who has come back under a name.
export function merge(before, { verb, names }) {
  if (before.verb === verb) return { verb, names: [...new Set([...before.names, ...names])] };
  const rest = before.names.filter((name) => !names.includes(name));
  return before.verb === "came" && rest.length && names.every(isGuest) && names.every((name) => before.names.includes(name))
    ? { verb: "came", names: rest } : undefined;
}

export function tell({ verb, names }) {
  return words[verb](names.slice(0, mostNames).map(short), Math.max(0, names.length - mostNames));
}

const short = (name) => (name.length > longestName ? `${name.slice(0, longestName).toWellFormed()}…` : name);
