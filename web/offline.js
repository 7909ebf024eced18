// The card in the middle of the page while there is no connection.

import { words } from "./words.js";

const grace = 1_500; // ms that a renewed connection may take

export class Offline {
  #card;
  #timer;

  // The card holds a heading, two paragraphs and a button.
  constructor(card, retry) {
    this.#card = card;
    card.querySelector("button").addEventListener("click", retry);
  }

  // show shows the reason, after the grace time.
  show(reason, mayWrite) {
    const [, why, kept] = this.#card.querySelectorAll("h2, p");
    why.textContent = words.offlineWords[reason] ?? words.offlineWords.network;
    kept.hidden = !mayWrite;
    this.#timer ??= setTimeout(() => (this.#card.hidden = false), grace);
  }

  hide() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#card.hidden = true;
  }
}
