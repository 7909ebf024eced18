// The language of the pages. The order of languages in the browser decides; if it
// names none of these, the pages are in English.

const known = ["en", "zh"];

export const language = navigator.languages.map((tag) => tag.slice(0, 2)).find((code) => known.includes(code)) ?? "en";
document.documentElement.lang = language;

// speak returns the texts in the reader's language, and writes those that the
// document asks for.
export function speak(texts) {
  const words = texts[language];
  const fill = (name, write) => document.querySelectorAll(`[data-${name}]`).forEach((element) => write(element, words[element.dataset[name]]));
  fill("say", (element, text) => (element.textContent = text));
  fill("label", (element, text) => (element.ariaLabel = text));
  fill("inside", (element, text) => (element.placeholder = text));
  fill("title", (element, text) => (element.title = text));
  return words;
}
