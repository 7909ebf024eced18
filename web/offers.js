// The section that the page shows instead of a room: why it does not open, subjects
// that may be read, or the setting that the operator is missing.

import { button, element } from "./dom.js";
import { isWild, mayRead, stem } from "./permissions.js";
import { words } from "./words.js";

const setting = "TAILWATER_ANONYMOUS_SUBSCRIBE";

// Offers shows them in a section. open(subject) opens a subject, fill(beginning)
// asks the reader to complete one, retry() tries again.
export class Offers {
  #section;
  #do;

  constructor(section, { open, fill, retry }) {
    this.#section = section;
    this.#do = { open, fill, retry };
  }

  // show lists what may be read; favourite represents every filter that covers it.
  show(permissions, favourite) {
    this.#section.replaceChildren(...explain(permissions), this.#list(permissions, favourite));
    this.#section.hidden = false;
  }

  // refuse says why a subject does not open, and what to do.
  refuse(detail, subject, permissions, favourite) {
    const does = element("p", "does");
    does.append(button("", words.retry, this.#do.retry));
    if (subject !== favourite && mayRead(permissions, favourite)) {
      does.append(this.#link(favourite, words.goTo(favourite.replace(/^chat\./, ""))));
    }
    this.#section.replaceChildren(element("h2", "", words.refusedTitle), element("p", "", detail), does);
    if (!permissions.unknown && permissions.subscribe.length) {
      this.#section.append(element("h3", "", words.mayRead), this.#list(permissions, favourite));
    }
    this.#section.hidden = false;
  }

  hide() {
    this.#section.hidden = true;
  }

  #list(permissions, favourite) {
    const list = element("ul");
    for (const filter of permissions.subscribe) {
      const subject = stands(permissions, filter, favourite);
      const item = element("li");
      item.append(subject
        ? this.#link(subject, subject)
        : button("", words.oneOf(filter), () => this.#do.fill(stem(filter))));
      list.append(item);
    }
    return list;
  }

  #link(subject, text) {
    const link = element("a", "", text);
    link.href = address(subject);
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return; // opens in a new tab
      event.preventDefault();
      this.#do.open(subject);
    });
    return link;
  }
}

// stands returns the subject that an offer opens for a filter, or nothing if the
// reader has to name one.
function stands(permissions, filter, favourite) {
  if (mayRead(permissions, filter)) return filter;
  return isWild(filter) && mayRead({ ...permissions, subscribe: [filter] }, favourite) ? favourite : undefined;
}

function explain({ subscribe, signIn }) {
  if (subscribe.length) return [element("h2", "", words.mayRead)];
  const [title, text] = signIn ? [words.signInTitle, words.signInWords] : [words.nothingTitle, words.nothingWords];
  return [element("h2", "", title), element("p", "", text(setting))];
}

// address returns the page's URL for a subject. A room is short for a subject that
// begins with chat.
export function address(subject) {
  const query = subject.startsWith("chat.") ? { room: subject.slice("chat.".length) } : { subject };
  return `?${new URLSearchParams(query)}`;
}
