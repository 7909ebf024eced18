// Buttons that copy. A browser lets a page copy only where it came over HTTPS or
// from this machine; elsewhere there are none.

import { button } from "./dom.js";
import { words } from "./words.js";

// copyButton copies what text() returns.
export function copyButton(text) {
  const made = button("copy", "", async () => {
    try {
      await navigator.clipboard.writeText(text());
    } catch {
      return; // forbidden: it says nothing that is not so
    }
    made.classList.add("done");
    made.ariaLabel = made.title = words.copied;
    setTimeout(reset, 1500);
  });
  function reset() {
    made.classList.remove("done");
    made.ariaLabel = made.title = words.copy;
  }
  made.hidden = !navigator.clipboard;
  reset();
  return made;
}
