// What has been written and is not stored yet. It is kept by the browser until
// the server has it, and is sent in order, again and again with the same key: so
// it is stored once, whatever is lost on the way, or closed, or restarted.

import { button, element } from "./dom.js";
import { forget, keep, names, recall } from "./kept.js";
import { drawOwn } from "./message.js";
import { publish, randomKey } from "./publish.js";
import { words } from "./words.js";

const prefix = "out.";
const remembered = 500; // ids of own messages

export class Outbox {
  #list;
  #url = ""; // of the room that is shown
  #items = new Map(); // by key: {key, url, body, line}
  #mine = new Set(recall("mine") ?? []);
  #isSending = false;
  #timer;
  #failures = 0;
  #onstored;
  #ontake;

  // onstored(id) is told of each message stored; ontake(text) gets back a text to edit.
  constructor(list, { onstored, ontake }) {
    this.#list = list;
    this.#onstored = onstored;
    this.#ontake = ontake;
    for (const name of names(prefix)) {
      const item = recall(name);
      if (item) this.#items.set(item.key, item);
    }
  }

  // enter shows what waits for a room.
  enter(url) {
    this.#url = url;
    this.#list.replaceChildren();
    for (const item of this.#items.values()) this.#show(item);
    this.flush();
  }

  add(url, name, text) {
    const key = Date.now().toString(36).padStart(9, "0") + randomKey(); // sorts by time
    const item = { key, url, body: JSON.stringify({ name, text }) };
    this.#items.set(key, item);
    keep(prefix + key, item);
    this.#show(item);
    this.flush();
  }

  // settle reports whether a message that has arrived is one of ours.
  settle({ id, payload }) {
    for (const item of this.#items.values()) {
      if (item.isSeen || item.isRefused || item.url !== this.#url || item.body !== payload) continue;
      item.isSeen = true;
      item.line.remove();
      if (item.isStored) this.#items.delete(item.key);
      return true;
    }
    return this.#mine.has(short(id));
  }

  // flush sends what waits, one after the other.
  async flush() {
    if (this.#isSending) return;
    clearTimeout(this.#timer);
    this.#isSending = true;
    for (const item of this.#items.values()) {
      if (item.isRefused || item.isStored) continue;
      this.#say(item, words.sending);
      const { url, body, key } = item;
      const answer = await publish(url, body, key);
      if (answer.problem === undefined) this.#stored(item, answer.id);
      else if (answer.isFinal) this.#refuse(item, answer.problem);
      else {
        this.#wait(answer.after);
        break;
      }
    }
    this.#isSending = false;
  }

  #stored(item, id) {
    this.#failures = 0;
    item.isStored = true;
    forget(prefix + item.key);
    this.#say(item, words.sent);
    if (item.isSeen) this.#items.delete(item.key);
    if (!id) return;
    this.#mine.add(id);
    keep("mine", [...this.#mine].slice(-remembered));
    this.#onstored(id);
  }

  #refuse(item, problem) {
    item.isRefused = true;
    forget(prefix + item.key);
    const drop = () => {
      this.#items.delete(item.key);
      item.line?.remove();
    };
    item.line?.classList.add("failed");
    this.#say(item, words.notSent(problem), button("small", words.again, () => {
      drop();
      this.add(item.url, ...Object.values(JSON.parse(item.body)));
    }), button("small", words.takeBack, () => {
      drop();
      this.#ontake(JSON.parse(item.body).text);
    }));
  }

  #wait(after) {
    for (const item of this.#items.values()) if (!item.isRefused && !item.isStored) this.#say(item, words.kept);
    const limit = Math.min(30_000, 1_000 * 2 ** this.#failures++);
    this.#timer = setTimeout(() => this.flush(), Math.max(after, limit * (0.5 + Math.random() / 2)));
  }

  #show(item) {
    if (item.url !== this.#url || item.isSeen) return;
    item.line = drawOwn(JSON.parse(item.body));
    item.line.append(element("p", "fate"));
    this.#list.append(item.line);
  }

  #say(item, text, ...more) {
    item.line?.querySelector(".fate").replaceChildren(text, ...more);
  }
}

// short returns an id without its time, which is what a POST answers.
export const short = (id) => String(id).split("-", 2).join("-");
