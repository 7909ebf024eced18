// What the examples share: the reader's language, the words of the connection's
// state, buttons that copy the commands, and the page's own source below it.

import { copyButton } from "./copy.js";
import { $, element } from "./dom.js";
import { ask } from "./permissions.js";
import { words } from "./words.js";

const states = {
  connecting: words.connecting,
  open: words.live,
  offline: words.comingBack(words.reasons.network),
  refused: words.exampleRefused,
  idle: words.exampleIdle,
};

const state = $("state");
if (state) {
  const show = () => (state.textContent = states[state.dataset.state]);
  new MutationObserver(show).observe(state, { attributeFilter: ["data-state"] });
  show();
}

for (const command of document.querySelectorAll(".command")) command.append(copyButton(() => command.firstElementChild.textContent));

// The nats command may need more to reach the server of this bridge.
ask().then(({ nats }) => {
  for (const code of document.querySelectorAll(".command code")) code.textContent = code.textContent.replace(/\bnats (?=pub|sub|kv|reply)/g, () => `${nats || "nats"} `);
});

if (location.pathname !== "/examples/") showSource();

async function showSource() {
  const response = await fetch(location.pathname);
  const text = await response.text();
  const section = element("section", "source");
  const block = element("pre");
  block.tabIndex = 0;
  block.ariaLabel = words.exampleSource;
  block.append(element("code", "", text), copyButton(() => text));
  section.append(element("h2", "", words.exampleSource), element("p", "", words.exampleSourceWords), block);
  document.querySelector("main").append(section);
}
