// What has been written and is not stored yet. It is kept by the browser until
// the server has it, and is sent in order, again and again with the same key: so
// it is stored once, whatever is lost on the way, or closed, or restarted.

import { publish } from "/client.js";
import { button, element } from "./dom.js";
import { forget, keep, names, recall } from "./kept.js";
import { drawOwn, positions } from "./message.js";
import { words } from "./words.js";

const prefix = "out.";
const remembered = 500; // ids of own messages

export class Outbox {
  #list;
  #url = ""; // of the room that is shown
  #items = new Map(); // by key: {key, url, body, line}
  #mine = new Set(recall("mine") ?? []);
  #isOpen = false;
  #waiting = new AbortController(); // aborts the wait for the next attempt
  #onstored;
  #ontake;

  // onstored(id) is told of each message stored; ontake(text) gets back a text to edit.
  constructor(list, { onstored, ontake }) {
    this.#list = list;
    this.#onstored = onstored;
    this.#ontake = ontake;
    for (const name of names(prefix)) {
      const item = recall(name);
      if (!item) continue;
      this.#items.set(item.key, item);
      this.#send(item);
    }
  }

  // enter shows what waits for a room.
  enter(url) {
    this.#url = url;
    this.#list.replaceChildren();
    for (const item of this.#items.values()) this.#show(item);
  }

  // isOpen says whether there is a connection. When it is back, nothing waits.
  set isOpen(isOpen) {
    if (isOpen === this.#isOpen) return;
    this.#isOpen = isOpen;
    for (const item of this.#items.values()) this.#sayFate(item);
    if (!isOpen) return;
    this.#waiting.abort();
    this.#waiting = new AbortController();
  }

  add(url, name, text) {
    const key = Date.now().toString(36).padStart(9, "0") + randomKey(); // sorts by time
    const item = { key, url, body: JSON.stringify({ name, text }) };
    this.#items.set(key, item);
    keep(prefix + key, item);
    this.#show(item);
    this.#send(item);
  }

  // settle reports whether a message that has arrived is one of ours.
  settle({ id, payload }) {
    for (const item of this.#items.values()) {
      if (item.isSeen || item.problem !== undefined || item.url !== this.#url || item.body !== payload) continue;
      item.isSeen = true;
      item.line.remove();
      if (item.isStored) this.#items.delete(item.key);
      return true;
    }
    return positions(id).some((position) => this.#mine.has(position));
  }

  // send tries until the server has answered.
  async #send(item) {
    const { url, body, key } = item, { signal } = this.#waiting;
    try {
      this.#stored(item, await publish(url, body, { key, signal }));
    } catch (error) {
      if (error === signal.reason) return this.#send(item);
      this.#refuse(item, error.message);
    }
  }

  #stored(item, { id }) {
    item.isStored = true;
    forget(prefix + item.key);
    this.#sayFate(item);
    if (item.isSeen) this.#items.delete(item.key);
    if (!id) return;
    this.#mine.add(id);
    keep("mine", [...this.#mine].slice(-remembered));
    this.#onstored(id);
  }

  #refuse(item, problem) {
    item.problem = problem;
    forget(prefix + item.key);
    this.#sayFate(item);
  }

  #show(item) {
    if (item.url !== this.#url || item.isSeen) return;
    item.line = drawOwn(JSON.parse(item.body));
    item.line.append(element("p", "fate"));
    this.#list.append(item.line);
    this.#sayFate(item);
  }

  #sayFate(item) {
    if (item.problem === undefined) return this.#say(item, item.isStored ? words.sent : this.#isOpen ? words.sending : words.kept);
    const { name, text } = JSON.parse(item.body);
    item.line?.classList.add("failed");
    this.#say(item, words.notSent(item.problem),
      button("small", words.again, () => {
        this.#drop(item);
        this.add(item.url, name, text);
      }),
      button("small", words.takeBack, () => {
        this.#drop(item);
        this.#ontake(text);
      }));
  }

  #drop(item) {
    this.#items.delete(item.key);
    item.line?.remove();
  }

  #say(item, text, ...more) {
    item.line?.querySelector(".fate").replaceChildren(text, ...more);
  }
}

// crypto.randomUUID is missing where a page comes over plain HTTP.
function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("");
}
