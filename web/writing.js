// The field to write in: Enter sends, Shift and Enter start a line.

import { $ } from "./dom.js";

export function writing(onsend) {
  const text = $("text");
  const isSend = (event) => event.key === "Enter" && !event.shiftKey && !event.isComposing;
  text.addEventListener("keydown", (event) => {
    if (!isSend(event)) return;
    event.preventDefault();
    $("composer").requestSubmit();
  });
  // Some keyboards go on to type the line end.
  text.addEventListener("keypress", (event) => isSend(event) && event.preventDefault());
  $("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    const written = text.value.replace(/\s+$/, "");
    if (!written.trim()) return;
    text.value = "";
    onsend(written);
  });
}
