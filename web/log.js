// The messages of a room.

import { element } from "./dom.js";
import { positions } from "./message.js";
import { words } from "./words.js";

const most = 500; // lines kept, so that a page can stay open for weeks
const together = 5 * 60_000; // messages of one sender within so many ms are one group

export function noticeLine(text) {
  const line = element("p", "notice");
  line.append(element("span", "", text));
  return line;
}

// Log appends lines to a list in a scroller. The scroller is laid out from its end
// (see chat.css), so the browser stays at the newest line while the reader is at
// the end, and otherwise leaves the view alone.
export class Log {
  #list;
  #scroller;
  #button;
  #away = false;
  #unseen = 0;

  constructor(list, scroller, button) {
    this.#list = list;
    this.#scroller = scroller;
    this.#button = button;
    // Asked here and not for each message, because it makes the browser lay out
    // the page. The end is at 0, and positions above it are negative.
    scroller.addEventListener("scroll", () => {
      this.#away = scroller.scrollTop < -40;
      if (!this.#away) this.#seen();
    }, { passive: true });
    button.addEventListener("click", () => this.toEnd());
  }

  get last() {
    return this.#list.lastElementChild;
  }

  // oldest returns the first message.
  get oldest() {
    return this.#list.querySelector(".message");
  }

  add(line) {
    group(this.last, line);
    this.#list.append(line);
    while (!this.#away && this.#list.childElementCount > most) this.#list.firstElementChild.remove();
    if (!this.#away || line.matches(".notice")) return;
    this.#button.textContent = words.newest(++this.#unseen);
    this.#button.hidden = false;
  }

  // addOlder puts lines before all others.
  addOlder(lines) {
    const first = this.#list.firstElementChild;
    this.#list.prepend(...lines);
    let before = null;
    for (const line of lines) {
      group(before, line);
      before = line;
    }
    if (first) group(before, first);
  }

  // own marks a message as the reader's own.
  own(id) {
    const found = [...this.#list.querySelectorAll(".message")].findLast((line) => positions(line.dataset.id).includes(id));
    if (!found) return;
    found.classList.add("own");
    group(found.previousElementSibling, found);
    if (found.nextElementSibling) group(found, found.nextElementSibling);
  }

  // mentions reports whether somebody of this name has written, or is told to have come or left.
  mentions(name) {
    return [...this.#list.children].some((line) => line.dataset.from === `name ${name}` || line.names?.includes(name));
  }

  clear() {
    this.#list.replaceChildren();
    this.toEnd();
  }

  toEnd() {
    this.#scroller.scrollTop = 0;
    this.#away = false;
    this.#seen();
  }

  #seen() {
    this.#unseen = 0;
    this.#button.hidden = true;
  }
}

// group marks a line whose sender is that of the line before.
function group(before, line) {
  const isSame = before?.dataset.from !== undefined && before.dataset.from === line.dataset.from &&
    before.classList.contains("own") === line.classList.contains("own") &&
    Math.abs(Date.parse(line.dataset.at) - Date.parse(before.dataset.at)) < together;
  line.classList.toggle("same", isSame);
}
