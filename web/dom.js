// Making elements. Texts of others go through textContent and are never interpreted as markup.

export const $ = (id) => document.getElementById(id);

export function element(tag, className, text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text;
  if (text) made.dir = "auto"; // names and texts may be written right to left
  return made;
}

export function button(className, text, onclick) {
  const made = element("button", className, text);
  made.type = "button";
  made.addEventListener("click", onclick);
  return made;
}
