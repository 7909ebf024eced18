// Every text of the chat and of the clock, in every language they speak.

import { speak } from "./language.js";

// enumerate lists names in English, and how many more there are.
const enumerate = (names, more) => new Intl.ListFormat("en").format(more ? [...names, `${more} more`] : names);

const en = {
  // header
  room: "Room",
  subject: "Subject",
  yourName: "Your name",
  clock: "Clock",
  inspect: "Inspect",
  examples: "Examples",
  chat: "Chat",
  here: (count) => `${count} here`,
  hereTitle: "Who is here",
  you: "you",
  signedIn: "signed in",
  nameless: (count) => `${count} without a name`,
  roomsTitle: "Rooms you have been in",

  // the connection, for the dot's title and for screen readers
  connecting: "connecting",
  waiting: "waiting for NATS",
  open: "open",
  live: "live",
  idleChoose: "choose what to read",
  idleNothing: "nothing to read",
  comingBack: (reason) => `${reason}, reconnecting`,
  refused: (detail) => `refused: ${detail}`,
  reconnected: (times) => ` · reconnected ${times}×`,
  reasons: {
    network: "no connection",
    offline: "no network",
    drain: "the server is restarting",
    auth: "the permission has expired",
    age: "renewing the connection",
    kick: "the operator has ended the connection",
    busy: "the server is full",
  },

  // offline and refused
  offlineTitle: "No connection",
  offlineWords: {
    network: "The server cannot be reached. The page keeps trying.",
    offline: "This device has no network. The page reconnects when it is back.",
    nats: "The server is running, but it has no connection to NATS. The page keeps trying.",
    drain: "The server is restarting. The page reconnects by itself.",
    auth: "The permission has expired. The page asks for a new one.",
    age: "The server is renewing the connection.",
    kick: "The operator has ended the connection. The page reconnects by itself.",
    busy: "The server is full. The page keeps trying.",
  },
  offlineKept: "What you write is kept, and sent after the reconnect.",
  retry: "Retry now",
  refusedTitle: "This room cannot be opened",
  refusedWords: {
    400: "Its name is not a valid subject.",
    401: "Sign in again to read it.",
    403: "You have no permission to read it.",
  },
  goTo: (room) => `Go to ${room}`,

  // the room
  theRoom: "The room",
  messages: "Messages",
  stillWater: "Still water",
  hintWrite: "Write below, or publish from a terminal. Both arrive here:",
  hintRead: "Messages published from a terminal arrive here:",
  older: "Load older messages",
  olderBusy: "Loading …",
  olderNone: "This is the beginning. No older messages are stored.",
  olderFailed: "Older messages cannot be read now.",
  newest: (count) => (count === 1 ? "1 new message" : `${count} new messages`),
  came: (names, more) => `${enumerate(names, more)} joined`,
  left: (names, more) => `${enumerate(names, more)} left`,
  someone: "someone",
  fromNATS: "Published on the subject by another program",
  empty: "(an empty message)",
  binary: (bytes) => `${bytes} bytes of binary data`,
  showAll: "Show all",
  copy: "Copy",
  copied: "Copied",
  missed: {
    retention: "Some messages are missing here: the server no longer stores them.",
    overrun: "Some messages are missing here: they arrived faster than this connection could receive them.",
    disconnected: "Some messages may be missing here: the server was disconnected from NATS.",
  },
  missedSome: "Some messages are missing here.",
  reset: "The server no longer knows this page's position: messages may be missing here.",

  // writing
  message: "Message",
  send: "Send",
  sendLater: "Send later",
  sending: "sending …",
  kept: "kept, not sent yet",
  sent: "sent",
  notSent: (reason) => `Not sent: ${reason}`,
  again: "Try again",
  takeBack: "Edit",
  youAre: (name) => `Others see you as ${name}.`,
  chooseName: "Choose a name",
  readingFilter: "Reading only: a message goes to one subject, and this is a filter.",
  readingOnly: "Reading only: writing here requires TAILWATER_ANONYMOUS_PUBLISH to allow it.",

  // what may be read
  mayRead: "What may be read here",
  oneOf: "choose one …",
  signInTitle: "Sign in to read",
  signInWords: (setting) => `Nothing may be read here without signing in, until ${setting} names subjects, such as news.>`,
  nothingTitle: "Nothing to read yet",
  nothingWords: (setting) => `Nobody may read anything here until ${setting} names subjects, such as news.>`,

  // the clock
  clockWaiting: "waiting for the first second",
  clockTitle: "The whole code",
  clockWords: "The server publishes the time of day on the NATS subject time.now. This is the script of this page:",
  clockScript: "The script of this page",

  // the examples
  exampleIdle: "ready",
  exampleRefused: "not possible yet: see below",
  exampleSource: "The whole page",
  exampleSourceWords: "This is the file that your browser has loaded:",
};

const zh = {
  // header
  room: "房间",
  subject: "主题",
  yourName: "你的名字",
  clock: "时钟",
  inspect: "检查",
  examples: "示例",
  chat: "聊天",
  here: (count) => `${count} 人在线`,
  hereTitle: "在线的人",
  you: "你",
  signedIn: "已登录",
  nameless: (count) => `${count} 人未署名`,
  roomsTitle: "去过的房间",

  // the connection, for the dot's title and for screen readers
  connecting: "正在连接",
  waiting: "等待 NATS",
  open: "已连接",
  live: "实时",
  idleChoose: "请选择要查看的内容",
  idleNothing: "没有可查看的内容",
  comingBack: (reason) => `${reason}，正在重连`,
  refused: (detail) => `被拒绝：${detail}`,
  reconnected: (times) => ` · 已重连 ${times} 次`,
  reasons: {
    network: "连接已断开",
    offline: "没有网络",
    drain: "服务器正在重启",
    auth: "权限已过期",
    age: "正在更新连接",
    kick: "管理员断开了连接",
    busy: "服务器已满",
  },

  // offline and refused
  offlineTitle: "连接已断开",
  offlineWords: {
    network: "无法连接服务器，正在不断重试。",
    offline: "设备没有网络，恢复后会自动重连。",
    nats: "服务器正在运行，但没有连上 NATS，正在不断重试。",
    drain: "服务器正在重启，稍后会自动重连。",
    auth: "权限已过期，正在重新获取。",
    age: "服务器正在更新连接。",
    kick: "管理员断开了连接，稍后会自动重连。",
    busy: "服务器已满，正在不断重试。",
  },
  offlineKept: "你写的消息会先保存，重连后自动发送。",
  retry: "立即重试",
  refusedTitle: "这个房间打不开",
  refusedWords: {
    400: "名称不是有效的主题。",
    401: "请重新登录后再读取。",
    403: "你没有读取它的权限。",
  },
  goTo: (room) => `前往 ${room}`,

  // the room
  theRoom: "房间",
  messages: "消息",
  stillWater: "水面平静",
  hintWrite: "在下方输入，或从终端发布，消息都会出现在这里：",
  hintRead: "从终端发布的消息会出现在这里：",
  older: "加载更早的消息",
  olderBusy: "正在加载……",
  olderNone: "已经到头了，没有更早的消息。",
  olderFailed: "暂时无法加载更早的消息。",
  newest: (count) => `${count} 条新消息`,
  came: (names, more) => `${names.join("、")}${more ? ` 等 ${names.length + more} 人` : " "}加入了`,
  left: (names, more) => `${names.join("、")}${more ? ` 等 ${names.length + more} 人` : " "}离开了`,
  someone: "匿名",
  fromNATS: "由其他程序发布到该主题",
  empty: "（空消息）",
  binary: (bytes) => `${bytes} 字节的二进制数据`,
  showAll: "显示全部",
  copy: "复制",
  copied: "已复制",
  missed: {
    retention: "这里缺少一些消息：时间太久，服务器已不再保存。",
    overrun: "这里缺少一些消息：消息来得太快，连接来不及接收。",
    disconnected: "这里可能缺少一些消息：服务器曾与 NATS 断开。",
  },
  missedSome: "这里缺少一些消息。",
  reset: "服务器不再认识本页的阅读位置：这里可能缺少一些消息。",

  // writing
  message: "消息",
  send: "发送",
  sendLater: "稍后发送",
  sending: "正在发送……",
  kept: "已保存，尚未发送",
  sent: "已发送",
  notSent: (reason) => `未发送：${reason}`,
  again: "重试",
  takeBack: "编辑",
  youAre: (name) => `其他人看到你的名字是 ${name}。`,
  chooseName: "起个名字",
  readingFilter: "只读：这是过滤器，消息只能发到具体的主题。",
  readingOnly: "只读：要在这里发言，需由 TAILWATER_ANONYMOUS_PUBLISH 允许。",

  // what may be read
  mayRead: "可查看的内容",
  oneOf: "选择一个……",
  signInTitle: "请先登录",
  signInWords: (setting) => `未登录时没有可查看的内容，除非 ${setting} 列出主题，例如 news.>`,
  nothingTitle: "还没有可查看的内容",
  nothingWords: (setting) => `目前没有任何人可以查看的内容。请在 ${setting} 中列出主题，例如 news.>`,

  // the clock
  clockWaiting: "等待第一秒",
  clockTitle: "完整代码",
  clockWords: "服务器把当前时间发布到 NATS 主题 time.now。本页的全部脚本如下：",
  clockScript: "本页的脚本",

  // the examples
  exampleIdle: "就绪",
  exampleRefused: "暂时不可用：见下文",
  exampleSource: "整个页面",
  exampleSourceWords: "这就是浏览器加载的文件：",
};

export const words = speak({ en, zh });
