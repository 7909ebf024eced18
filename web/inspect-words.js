// Every text of the inspector, in every language it speaks. Code that it offers to
// copy is the same in all of them.

import { speak } from "./language.js";

const en = {
  // header
  chat: "Chat",
  clock: "Clock",
  filter: "Subject or filter",
  since: "Since",
  format: "Format",
  token: "Token, kept nowhere",
  read: "Read",
  stop: "Stop",

  // the connection
  idle: "nothing is read yet",
  stopped: "stopped",
  connecting: "connecting",
  waiting: "waiting for the first event",
  open: (times) => (times ? `open · reconnected ${times}×` : "open"),
  reconnecting: "no connection, reconnecting",
  refused: (detail) => `refused: ${detail}`,
  noReason: "without a reason",
  ended: "the answer has ended",

  // the last minute
  minute: "The last minute",
  eventCount: "events",
  rate: "a second",
  delay: "delay, half below",
  delayWords: "from the time in the event's id to its arrival, by two clocks",
  received: "received",
  rates: "Events a second",
  ratesWords: "Events a second, in the last minute",
  delays: "Delay since it was stored",
  delaysWords: "Delay since events were stored, in the last minute",
  upTo: (value) => `up to ${value}`,

  // the time line
  line: "Time line",
  position: "Position",
  noPosition: "none yet",
  moments: "What has happened, the newest first",
  answered: (status, type, ms) => `${status} ${type} after ${ms} ms`,
  connectionEnded: (reason, seconds) => `the connection has ended (${reason}); again in ${seconds} s`,
  openAt: (position) => `open at ${position}`,
  gap: (reason, after, first) => `gap (${reason}): messages are missing between ${after} and ${first}`,
  reset: (reason) => `reset (${reason}): the position is not valid here`,
  closed: (reason) => `the bridge ends the connection (${reason})`,
  synced: "what was stored has arrived; now live",
  heartbeat: "heartbeat",
  heartbeats: (times, last) => `heartbeat, ${times}×, the last at ${last}`,

  // the events
  events: "Events",
  hold: "Hold",
  held: (count) => `Hold (${count} more)`,
  clear: "Clear",
  time: "Time",
  subject: "Subject",
  id: "Id",
  event: "Event",
  bytes: "Bytes",
  delayHead: "Delay",
  empty: "Each event gets a row: open one to see its headers, and its bytes as they came.",
  noID: "without an id",
  facts: (id, bytes, delay) => `${id}, ${bytes} bytes, delay ${delay}`,
  rawBytes: "The bytes as they came",

  // publishing
  publish: "Publish",
  payload: "Payload",
  none: "none",

  // the code
  same: "The same as",
  kinds: "Language",
  copy: "Copy",
  copied: "Copied",
  code: "The code",

  // does something buffer
  bufferTitle: "Does something between us buffer?",
  bufferWords: "A proxy that collects an event stream before it passes it on makes messages late. This reads the subject by a connection of its own, publishes five small messages there, 300 ms apart, and watches when they arrive. Without the right to publish it waits for a heartbeat.",
  test: "Test",
  protocolUnknown: "an unknown protocol",
  hop: (protocol) => `The answer has come over ${protocol}. No header names anything between.`,
  hops: (protocol, traces) => `The answer has come over ${protocol}, with ${traces}. Tailwater sends none of these: something stands between.`,
  headersAfter: (ms) => `The headers came after ${ms} ms.`,
  firstAfter: (ms) => `The first event came after ${ms} ms.`,
  waitsForHeartbeat: (refusal) => `${refusal} So it waits for a heartbeat, which is due after 15 s of silence.`,
  heartbeatAfter: (ms) => `A heartbeat came after ${ms} ms, by itself: nothing buffers.`,
  nothingCame: (seconds) => `Nothing more came in ${seconds} s: something buffers, or the bridge waits for NATS.`,
  arrival: (number, sent, came) => `Message ${number}: sent at ${sent} ms, here at ${came} ms, ${came - sent} ms later.`,
  buffers: "They were sent one after another, and came all at once: something between buffers.",
  nothingBuffers: "They came as they were sent: nothing between buffers.",
};

const zh = {
  // header
  chat: "聊天",
  clock: "时钟",
  filter: "主题或过滤器",
  since: "起点",
  format: "格式",
  token: "令牌（不会保存）",
  read: "读取",
  stop: "停止",

  // the connection
  idle: "还没有读取",
  stopped: "已停止",
  connecting: "正在连接",
  waiting: "正在等第一个事件",
  open: (times) => (times ? `已连接 · 已重连 ${times} 次` : "已连接"),
  reconnecting: "没有连接，正在重连",
  refused: (detail) => `被拒绝：${detail}`,
  noReason: "没有说明原因",
  ended: "响应已结束",

  // the last minute
  minute: "最近一分钟",
  eventCount: "事件",
  rate: "每秒",
  delay: "延迟（中位数）",
  delayWords: "从事件 id 中的时间到它到达，用的是两个时钟",
  received: "已接收",
  rates: "每秒事件数",
  ratesWords: "最近一分钟的每秒事件数",
  delays: "存储后的延迟",
  delaysWords: "最近一分钟事件存储后的延迟",
  upTo: (value) => `最高 ${value}`,

  // the time line
  line: "时间线",
  position: "位置",
  noPosition: "还没有",
  moments: "发生的事，最新的在前",
  answered: (status, type, ms) => `${ms} 毫秒后收到 ${status} ${type}`,
  connectionEnded: (reason, seconds) => `连接已结束（${reason}），${seconds} 秒后重试`,
  openAt: (position) => `从 ${position} 打开`,
  gap: (reason, after, first) => `缺口（${reason}）：${after} 和 ${first} 之间缺少消息`,
  reset: (reason) => `重置（${reason}）：这个位置在这里无效`,
  closed: (reason) => `桥结束了连接（${reason}）`,
  synced: "已存储的都到了，现在是实时",
  heartbeat: "心跳",
  heartbeats: (times, last) => `心跳 ${times} 次，最近一次 ${last}`,

  // the events
  events: "事件",
  hold: "暂停",
  held: (count) => `暂停（还有 ${count} 条）`,
  clear: "清空",
  time: "时间",
  subject: "主题",
  id: "Id",
  event: "事件",
  bytes: "字节",
  delayHead: "延迟",
  empty: "每个事件一行：点开可以看到它的头和收到的原始字节。",
  noID: "没有 id",
  facts: (id, bytes, delay) => `${id}，${bytes} 字节，延迟 ${delay}`,
  rawBytes: "收到的原始字节",

  // publishing
  publish: "发布",
  payload: "内容",
  none: "无",

  // the code
  same: "等同于",
  kinds: "语言",
  copy: "复制",
  copied: "已复制",
  code: "代码",

  // does something buffer
  bufferTitle: "中间有东西在缓冲吗？",
  bufferWords: "如果代理先攒下事件流再转发，消息就会迟到。这里用一个单独的连接读取该主题，每隔 300 毫秒发布一条小消息，共五条，并观察它们何时到达。没有发布权限时，就等一次心跳。",
  test: "测试",
  protocolUnknown: "未知协议",
  hop: (protocol) => `响应经 ${protocol} 到达。没有头说明中间有什么。`,
  hops: (protocol, traces) => `响应经 ${protocol} 到达，带有 ${traces}。Tailwater 不会发送这些头：中间有别的东西。`,
  headersAfter: (ms) => `响应头在 ${ms} 毫秒后到达。`,
  firstAfter: (ms) => `第一个事件在 ${ms} 毫秒后到达。`,
  waitsForHeartbeat: (refusal) => `${refusal} 所以改为等心跳，静默 15 秒后会有一次。`,
  heartbeatAfter: (ms) => `${ms} 毫秒后单独收到一次心跳：没有缓冲。`,
  nothingCame: (seconds) => `${seconds} 秒内没有再收到什么：有东西在缓冲，或者桥在等 NATS。`,
  arrival: (number, sent, came) => `消息 ${number}：${sent} 毫秒发出，${came} 毫秒到达，用了 ${came - sent} 毫秒。`,
  buffers: "它们先后发出，却同时到达：中间有东西在缓冲。",
  nothingBuffers: "它们按发出的节奏到达：中间没有缓冲。",
};

export const words = speak({ en, zh });
