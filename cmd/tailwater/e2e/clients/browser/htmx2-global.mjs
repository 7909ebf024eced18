import htmx from "htmx.org";

window.htmx = htmx; // where its extensions look for it
