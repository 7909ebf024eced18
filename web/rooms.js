// The rooms that the reader has visited, as links below the field.

import { element } from "./dom.js";
import { keep, recall } from "./kept.js";
import { address } from "./offers.js";

const most = 8;

export class Rooms {
  #list;
  #open;

  constructor(list, open) {
    this.#list = list;
    this.#open = open;
  }

  // visit records that a subject was opened, and shows the others.
  visit(subject) {
    const others = all().filter((other) => other !== subject);
    keep("rooms", [subject, ...others].slice(0, most));
    this.#list.replaceChildren(...others.map((other) => this.#item(other)));
  }

  #item(subject) {
    const link = element("a", "", subject.replace(/^chat\./, "# "));
    link.href = address(subject);
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return; // the link opens in another tab
      event.preventDefault();
      link.blur();
      this.#open(subject);
    });
    const item = element("li");
    item.append(link);
    return item;
  }
}

function all() {
  const kept = recall("rooms");
  return Array.isArray(kept) ? kept.filter((subject) => typeof subject === "string") : [];
}
