// Every text of the inspector, in every language it speaks. Code that it offers to
// copy is the same in all of them.

import { speak } from "./language.js";

const en = {
  // header
  inspect: "Inspect",
  chat: "Chat",
  clock: "Clock",
  filter: "Subject or filter",
  since: "Since",
  format: "Format",
  token: "Token (never stored)",
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
  noReason: "no reason given",
  ended: "the response ended",

  // the last minute
  minute: "Flow",
  eventCount: "events so far",
  rate: "per second",
  delay: "median delay",
  delayWords: "from the time in the event's id to its arrival, by two clocks",
  received: "received so far",
  rates: "Events per second",
  ratesWords: "Events per second, in the last minute",
  delays: "Delay since publishing",
  delaysWords: "Delay of events since publishing, in the last minute",
  upTo: (value) => `up to ${value}`,

  // the time line
  line: "Timeline",
  position: "Position",
  noPosition: "none yet",
  moments: "What has happened, newest first",
  answered: (status, type, ms) => `${status} ${type} after ${ms} ms`,
  connectionEnded: (reason, seconds) => `the connection has ended (${reason}); again in ${seconds} s`,
  openAt: (position) => `open at ${position}`,
  gap: (reason, after, first) => `gap (${reason}): messages are missing between ${after} and ${first}`,
  reset: (reason) => `reset (${reason}): the position is not valid here`,
  closed: (reason) => `the bridge ends the connection (${reason})`,
  synced: "stored messages have arrived; live from here",
  heartbeat: "heartbeat",
  heartbeats: (times, last) => `heartbeat, ${times}×, the last at ${last}`,

  // the events
  events: "Events",
  hold: "Pause",
  held: (count) => `Pause (${count} new)`,
  clear: "Clear",
  time: "Time",
  subject: "Subject",
  id: "ID",
  event: "Event",
  bytes: "Bytes",
  delayHead: "Delay",
  empty: "Each event gets a row. Open a row to see the headers and the raw bytes.",
  noID: "without an id",
  facts: (id, bytes, delay) => `${id}, ${bytes} bytes, delay ${delay}`,
  rawBytes: "The raw bytes",

  // publishing
  publish: "Publish",
  payload: "Payload",
  none: "none",

  // the code
  same: "As code",
  kinds: "Language",
  copy: "Copy",
  copied: "Copied",
  code: "The code",

  // does something buffer
  bufferTitle: "Does something in between buffer?",
  bufferWords: "A proxy that collects an event stream before passing it on makes messages late. This test opens its own connection to the subject, publishes five small messages, 300 ms apart, and records when each arrives. Without permission to publish, it waits for a heartbeat.",
  test: "Test",
  protocolUnknown: "an unknown protocol",
  hop: (protocol) => `The response arrived over ${protocol}. No header names a proxy.`,
  hops: (protocol, traces) => `The response arrived over ${protocol}, with ${traces}. Tailwater sends none of these: there is a proxy in between.`,
  headersAfter: (ms) => `The headers arrived after ${ms} ms.`,
  firstAfter: (ms) => `The first event arrived after ${ms} ms.`,
  waitsForHeartbeat: (refusal) => `${refusal} So this test waits for a heartbeat, which is sent after 15 s of silence.`,
  heartbeatAfter: (ms) => `A heartbeat arrived by itself after ${ms} ms: nothing buffers.`,
  nothingCame: (seconds) => `Nothing more arrived within ${seconds} s: something buffers, or the bridge is waiting for NATS.`,
  arrival: (number, sent, came) => `Message ${number}: sent at ${sent} ms, arrived at ${came} ms, ${came - sent} ms later.`,
  buffers: "They were sent one by one and arrived all at once: something in between buffers.",
  nothingBuffers: "They arrived as they were sent: nothing in between buffers.",
};

const zh = {
  // header
  inspect: "检查",
  chat: "聊天",
  clock: "时钟",
  filter: "主题或过滤器",
  since: "起始位置",
  format: "格式",
  token: "令牌（不会被保存）",
  read: "读取",
  stop: "停止",

  // the connection
  idle: "尚未开始读取",
  stopped: "已停止",
  connecting: "正在连接",
  waiting: "等待第一个事件",
  open: (times) => (times ? `已连接 · 已重连 ${times} 次` : "已连接"),
  reconnecting: "连接已断开，正在重连",
  refused: (detail) => `被拒绝：${detail}`,
  noReason: "未说明原因",
  ended: "响应已结束",

  // the last minute
  minute: "流量",
  eventCount: "累计事件",
  rate: "每秒",
  delay: "延迟（中位数）",
  delayWords: "从事件 id 中的时间到事件到达；两端时钟可能有偏差",
  received: "累计接收",
  rates: "每秒事件数",
  ratesWords: "最近一分钟的每秒事件数",
  delays: "发布后的延迟",
  delaysWords: "最近一分钟内事件发布后的延迟",
  upTo: (value) => `峰值 ${value}`,

  // the time line
  line: "时间线",
  position: "位置",
  noPosition: "暂无",
  moments: "连接记录，最新的在前",
  answered: (status, type, ms) => `${ms} 毫秒后收到 ${status} ${type}`,
  connectionEnded: (reason, seconds) => `连接已结束（${reason}），${seconds} 秒后重试`,
  openAt: (position) => `已打开，位置 ${position}`,
  gap: (reason, after, first) => `缺失（${reason}）：${after} 与 ${first} 之间的消息已丢失`,
  reset: (reason) => `重置（${reason}）：该位置在此处无效`,
  closed: (reason) => `服务器关闭了连接（${reason}）`,
  synced: "已存储的消息全部到达，此后为实时消息",
  heartbeat: "心跳",
  heartbeats: (times, last) => `心跳 ${times} 次，最近一次在 ${last}`,

  // the events
  events: "事件",
  hold: "暂停",
  held: (count) => `暂停（${count} 条新事件）`,
  clear: "清空",
  time: "时间",
  subject: "主题",
  id: "ID",
  event: "事件",
  bytes: "字节",
  delayHead: "延迟",
  empty: "每个事件占一行，点开可查看消息头和原始字节。",
  noID: "无 ID",
  facts: (id, bytes, delay) => `${id}，${bytes} 字节，延迟 ${delay}`,
  rawBytes: "原始字节",

  // publishing
  publish: "发布",
  payload: "内容",
  none: "无",

  // the code
  same: "对应的代码",
  kinds: "语言",
  copy: "复制",
  copied: "已复制",
  code: "代码",

  // does something buffer
  bufferTitle: "中间有代理在缓冲吗？",
  bufferWords: "如果代理先缓存事件流再转发，消息就会延迟。此测试会单独建立一个连接读取该主题，每隔 300 毫秒发布一条短消息，共五条，并记录每条的到达时间。没有发布权限时，则等待一次心跳。",
  test: "测试",
  protocolUnknown: "未知协议",
  hop: (protocol) => `响应经由 ${protocol} 到达。没有响应头表明中间有代理。`,
  hops: (protocol, traces) => `响应经由 ${protocol} 到达，带有 ${traces}。Tailwater 不会发送这些响应头：中间有代理。`,
  headersAfter: (ms) => `响应头在 ${ms} 毫秒后到达。`,
  firstAfter: (ms) => `第一个事件在 ${ms} 毫秒后到达。`,
  waitsForHeartbeat: (refusal) => `${refusal} 因此改为等待心跳：静默 15 秒后会发送一次。`,
  heartbeatAfter: (ms) => `${ms} 毫秒后单独收到一次心跳：没有缓冲。`,
  nothingCame: (seconds) => `${seconds} 秒内没有再收到任何数据：中间有缓冲，或者服务器正在等待 NATS。`,
  arrival: (number, sent, came) => `消息 ${number}：第 ${sent} 毫秒发出，第 ${came} 毫秒到达，延迟 ${came - sent} 毫秒。`,
  buffers: "消息先后发出，却同时到达：中间有缓冲。",
  nothingBuffers: "消息按发出的节奏到达：中间没有缓冲。",
};

export const words = speak({ en, zh });
