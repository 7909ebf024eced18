import { EventSource } from "extended-eventsource";
import { url, tell } from "./job.mjs";
import { listen } from "../names.mjs";

listen(new EventSource(url), tell);
