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

  // refuse says why a subject cannot be opened, and what to do. The bridge's detail is
  // for developers.
  refuse({ detail, status }, subject, permissions, favourite) {
    const does = element("p", "does");
    if (subject !== favourite && mayRead(permissions, favourite)) {
      does.append(this.#link(favourite, words.goTo(favourite.replace(/^chat\./, ""))));
    }
    if (status !== 400) does.append(button("", words.retry, this.#do.retry));
    const why = words.refusedWords[status];
    this.#section.replaceChildren(element("h2", "", words.refusedTitle), ...(why ? [element("p", "", why)] : []), element("p", "detail", detail), does);
    const list = this.#list(permissions, favourite, does.querySelector("a") && favourite);
    if (!permissions.unknown && list.childElementCount) this.#section.append(element("h3", "", words.mayRead), list);
    this.#section.hidden = false;
  }

  hide() {
    this.#section.hidden = true;
  }

  // list lists what may be read, without the subject that is offered already.
  #list(permissions, favourite, offered) {
    const list = element("ul");
    for (const filter of permissions.subscribe) {
      const subject = stands(permissions, filter, favourite);
      if (subject && subject === offered) continue;
      const item = element("li");
      item.append(subject ? this.#link(subject, subject) : this.#choice(filter));
      list.append(item);
    }
    return list;
  }

  // choice is for a filter of which the reader names a subject.
  #choice(filter) {
    const choice = button("", filter, () => this.#do.fill(stem(filter)));
    choice.append(element("span", "", words.oneOf));
    return choice;
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
