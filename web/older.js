// Messages from before the page was opened, a page of them at each click. A poll
// with `until` reads backwards from a position.

import { noticeLine } from "./log.js";
import { read } from "./message.js";
import { words } from "./words.js";

const page = 100; // messages at once

export class Older {
  #button;
  #log;
  #lineOf;
  #url = ""; // of the room
  #begun = ""; // the position at which it was opened
  #isKnown = false; // whether the button is of use

  // lineOf draws a message.
  constructor(button, log, lineOf) {
    this.#button = button;
    this.#log = log;
    this.#lineOf = lineOf;
    button.addEventListener("click", () => this.#load(false));
  }

  enter(url) {
    this.#url = url;
    this.#begun = "";
    this.#isKnown = false;
  }

  leave() {
    this.#url = "";
    this.#button.hidden = true;
  }

  // begin notes the position of the first event.
  begin(id) {
    this.#begun ||= id;
  }

  // look offers older messages, once the newer ones are shown. If there are none of
  // these, it loads the older ones at once.
  look() {
    if (this.#isKnown) return;
    this.#isKnown = true;
    if (this.#log.oldest) this.#button.hidden = false;
    else this.#load(true);
  }

  async #load(isFirst) {
    const url = this.#url;
    this.#say(words.olderBusy, true);
    try {
      const found = await this.#before(this.#log.oldest?.dataset);
      if (url !== this.#url) return;
      this.#button.hidden = !found.length;
      if (found.length) this.#log.addOlder(found.map(this.#lineOf));
      else if (!isFirst) this.#log.addOlder([noticeLine(words.olderNone)]);
    } catch {
      if (url !== this.#url) return;
      this.#button.hidden = false;
      if (!isFirst) this.#log.addOlder([noticeLine(words.olderFailed)]);
    } finally {
      this.#say(words.older, false);
    }
  }

  // before returns the messages before the oldest that is shown, if one is.
  async #before(oldest) {
    const query = new URLSearchParams({ poll: 1, limit: page + 1, until: oldest?.id ?? this.#begun });
    const response = await fetch(`${this.#url}?${query}`, { cache: "no-store", signal: AbortSignal.timeout(20_000) });
    if (!response.ok) throw new Error(response.statusText);
    const events = (await response.text()).split("\n").filter((line) => line).map((line) => JSON.parse(line));
    return events.filter(({ event }) => !event?.startsWith("tailwater:")).map(read).filter(({ key }) => key !== oldest?.key);
  }

  #say(text, isBusy) {
    this.#button.textContent = text;
    this.#button.disabled = isBusy;
  }
}
