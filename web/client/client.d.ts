/**
 * connect reads the events at `url` and keeps reading until `close()` is called.
 *
 * @param url as for an EventSource, such as "/events/chat.room1?since=1h". Every parameter of the bridge works, except `format`:
 *   messages arrive as objects. Add `payload=json` to receive payloads that are JSON as values.
 */
export function connect(url: string | URL, options?: ConnectOptions): Connection;

/**
 * publish sends one message. It tries again until the bridge has answered: while the device is offline, the bridge restarts or a limit is
 * reached. Each attempt bears the same key, so the message is stored once. Messages to one URL are sent in the order of the calls.
 *
 * The promise rejects with a {@link Problem} if the bridge refuses the message, and with `signal.reason` if `signal` aborts before an attempt.
 */
export function publish(url: string | URL, body: BodyInit, options?: PublishOptions): Promise<Receipt>;

export interface Credentials {
  /** Returns the token for `Authorization: Bearer …`. It is called before each request; `renew` is true if the last token was refused or has expired. */
  token?: (renew: boolean) => string | Promise<string>;
  /** Returns a ticket of the bridge's `/session`, in the same way. */
  ticket?: (renew: boolean) => string | Promise<string>;
  /** As of fetch: "include" sends cookies to a bridge of another origin, as EventSource's `withCredentials` does. */
  credentials?: RequestCredentials;
}

export interface ConnectOptions extends Credentials {
  onmessage?: (message: Message) => void;
  /** The connection begins, or continues exactly. `event.id` is the position from which it does. */
  onopen?: (open: { subjects: string[] }, event: Message) => void;
  /** Messages are missing before the next one. `reason` is "retention", "overrun" or "disconnected". */
  ongap?: (gap: { after: string; first: string; reason: string }, event: Message) => void;
  /** The position is no longer valid: begin a list anew. `reason` is "recreated", "rolled back", "malformed" or "unknown". */
  onreset?: (reset: { reason: string }, event: Message) => void;
  /** What `since` asked for has arrived. */
  onsynced?: (nothing: {}, event: Message) => void;
  /** The value of a subject was deleted. */
  ondelete?: (deleted: { subject: string }, event: Message) => void;
  /** Who is here, with `presence=1` in the URL. */
  onpresence?: (presence: Presence, event?: Message) => void;
  /** A message was larger than `max=` in the URL. */
  onlarge?: (large: { subject: string; id: string; size: number }, event: Message) => void;
  /** The state of the connection has changed. */
  onstate?: (state: State, why: Why) => void;
  /**
   * Shares one connection among all tabs of the origin that read the same URL: the default, unless there is a `token` or a `ticket`. Tabs of
   * different people must not share: with credentials, pass the name of who has signed in.
   */
  share?: boolean | string;
  /** Continues behind the last message after the page was loaded again in the same tab (sessionStorage). */
  keep?: boolean;
  /** While the tab is hidden, keeps the newest message of each subject alone, and delivers it when the tab is seen. */
  conflate?: boolean;
}

/**
 * - `connecting`: at first; `why.reason` is "nats" while the bridge has answered and waits for NATS.
 * - `open`: messages arrive.
 * - `offline`: the connection was lost and is tried again.
 * - `refused`: trying again will not help; `why.detail` says why.
 * - `closed`: by `close()`, or because nothing more will come (204).
 */
export type State = "connecting" | "open" | "offline" | "refused" | "closed";

export interface Why {
  /** For `offline`: "network", "silence" (missed heartbeats), "status" (of a proxy), or what the bridge says: "drain", "age", "auth", "kick", "busy". */
  reason?: string;
  /** In words, of the bridge or the browser. */
  detail?: string;
  /** The HTTP status of the answer. */
  status?: number;
  /** Which row of https://github.com/tailwater/tailwater/blob/main/bridge/httpapi/README.md#errors it is. */
  type?: string;
}

/** The messages of a Connection can be read by `for await`. The loop ends with the connection, and throws where that is refused. */
export interface Connection extends AsyncIterable<Message> {
  readonly state: State;
  /** The position: what `lastEventId` in a URL continues behind. */
  readonly lastEventId: string;
  /** Tries again now, also what was refused. */
  reconnect(): void;
  close(): void;
}

export interface Message {
  subject: string;
  id: string;
  /** When it was stored, or arrived at the bridge: RFC 3339 with nanoseconds. */
  time: string;
  /** The publisher's `Tailwater-Event`. */
  event?: string;
  headers?: Record<string, string[]>;
  /** The payload; a value instead of a string where `payload=json` was asked for. */
  data?: any;
  /** The payload, if it is not text. */
  data_base64?: string;
}

export interface Presence {
  type: "join" | "leave" | "state";
  subject: string;
  count: number;
  members: { name: string; user?: boolean; since: string }[];
  joined?: string[];
  left?: string[];
}

export interface PublishOptions extends Credentials {
  /** The Idempotency-Key; a random one by default. Keep it to send the same message again after a reload, within the stream's two minutes. */
  key?: string;
  /** The name of the event that readers get. */
  event?: string;
  /** Gives up before the next attempt. A message that is on its way may still arrive. */
  signal?: AbortSignal;
}

export interface Receipt {
  subject: string;
  id?: string;
  stream?: string;
  seq?: number;
  duplicate?: boolean;
}

/** Why publish was refused. */
export interface Problem extends Error {
  status: number;
  type?: string;
}
