import htmx from "htmx4";

window.htmx = htmx; // where its extensions look for it
