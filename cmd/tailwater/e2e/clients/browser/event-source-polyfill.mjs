import { EventSourcePolyfill } from "event-source-polyfill";
import { url, tell } from "./job.mjs";
import { listen } from "../names.mjs";

listen(new EventSourcePolyfill(url), tell);
