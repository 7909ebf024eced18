// Buttons that copy. Browsers allow it only to pages from HTTPS or from this
// machine; other pages have no such buttons.

import { button } from "./dom.js";
import { words } from "./words.js";

// copyButton copies what text() returns.
export function copyButton(text) {
  const made = button("copy", "", async () => {
    try {
      await navigator.clipboard.writeText(text());
    } catch {
      return; // forbidden: the button does not claim success
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
