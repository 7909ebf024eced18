// The section that the page shows instead of a room: subjects that may be read, or
// the setting that the operator is missing.

import { isWild, mayRead, stem } from "./permissions.js";

const setting = "TAILWATER_ANONYMOUS_SUBSCRIBE";

// Offers shows them in a section. open(subject) opens a subject, fill(beginning)
// asks the reader to complete one.
export class Offers {
  #section;
  #open;
  #fill;

  constructor(section, { open, fill }) {
    this.#section = section;
    this.#open = open;
    this.#fill = fill;
  }

  // show lists what may be read; favourite represents every filter that covers it.
  show(permissions, favourite) {
    const list = made("ul");
    for (const filter of permissions.subscribe) list.append(this.#offer(permissions, filter, favourite));
    this.#section.replaceChildren(...words(permissions), list);
    this.#section.hidden = false;
  }

  hide() {
    this.#section.hidden = true;
  }

  #offer(permissions, filter, favourite) {
    const subject = stands(permissions, filter, favourite);
    const item = made("li");
    if (subject) {
      const link = made("a", subject);
      link.href = address(subject);
      link.addEventListener("click", (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return; // opens in a new tab
        event.preventDefault();
        this.#open(subject);
      });
      item.append(link);
    } else {
      const button = made("button", `one of ${filter}`);
      button.type = "button";
      button.addEventListener("click", () => this.#fill(stem(filter)));
      item.append(button);
    }
    return item;
  }
}

// stands returns the subject that an offer opens for a filter, or nothing if the
// reader has to name one.
function stands(permissions, filter, favourite) {
  if (mayRead(permissions, filter)) return filter;
  return isWild(filter) && mayRead({ ...permissions, subscribe: [filter] }, favourite) ? favourite : undefined;
}

function words({ subscribe, signIn }) {
  if (subscribe.length) return [made("h2", "What may be read here")];
  const until = `until ${setting} names subjects, such as news.>`;
  return signIn
    ? [made("h2", "Sign in to read"), made("p", `Nothing may be read here without signing in, ${until}`)]
    : [made("h2", "Nothing to read yet"), made("p", `Nobody may read anything here ${until}`)];
}

// address returns the page's URL for a subject. A room is short for a subject that
// begins with chat.
export function address(subject) {
  const query = subject.startsWith("chat.") ? { room: subject.slice("chat.".length) } : { subject };
  return `?${new URLSearchParams(query)}`;
}

function made(tag, text = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  return element;
}
