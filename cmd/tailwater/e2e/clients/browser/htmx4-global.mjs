import htmx from "htmx4";

window.htmx = htmx; // where its extensions look for it
htmx.config.mode = "cors"; // the bridge is of another origin than the page
