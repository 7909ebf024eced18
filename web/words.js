// Every text of the pages, in all their languages. The order of languages in the
// browser decides; if it names none of these, the pages are in English.

const en = {
  // header
  room: "Room",
  subject: "Subject",
  yourName: "Your name",
  clock: "Clock",
  chat: "Chat",
  here: (count) => `${count} here`,
  hereTitle: "Who is here",
  you: "you",
  signedIn: "signed in",
  nameless: (count) => `and ${count} without a name`,
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
  answered: (status) => `the server answered ${status}`,
  reasons: {
    network: "no connection",
    offline: "no network",
    drain: "the server is restarting",
    auth: "the permission has ended",
    age: "renewing the connection",
    busy: "the server is full now",
  },

  // offline and refused
  offlineTitle: "No connection",
  offlineWords: {
    network: "The server cannot be reached. This page keeps trying.",
    offline: "This device has no network. This page reconnects when it is back.",
    nats: "The server is running, but it has no connection to NATS. This page keeps trying.",
    drain: "The server is restarting. This page reconnects by itself.",
    auth: "The permission has ended. This page is asking again.",
    age: "The server renews the connection.",
    busy: "The server is full now. This page keeps trying.",
  },
  offlineKept: "Your messages are kept here and sent after the reconnect.",
  retry: "Retry now",
  refusedTitle: "This room does not open",
  goTo: (room) => `Go to ${room}`,

  // the room
  theRoom: "The room",
  messages: "Messages",
  stillWater: "Still water",
  hintWrite: "Write below, or publish from a terminal. Both arrive here:",
  hintRead: "Messages published from a terminal arrive here:",
  older: "Load older messages",
  olderBusy: "Loading …",
  olderNone: "This is the beginning: no older messages are stored.",
  olderFailed: "Older messages cannot be read now.",
  newest: (count) => (count === 1 ? "1 new message" : `${count} new messages`),
  came: (names) => `${names} joined`,
  left: (names) => `${names} left`,
  others: (count) => `${count} others`,
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
  oneOf: (filter) => `one of ${filter}`,
  signInTitle: "Sign in to read",
  signInWords: (setting) => `Nothing may be read here without signing in, until ${setting} names subjects, such as news.>`,
  nothingTitle: "Nothing to read yet",
  nothingWords: (setting) => `Nobody may read anything here until ${setting} names subjects, such as news.>`,

  // the clock
  clockWaiting: "waiting for the first second",
  clockTitle: "The whole code",
  clockWords: "The server publishes the time of day on the NATS subject time.now. This is the script of this page:",
  clockScript: "The script of this page",
};

const zh = {
  // header
  room: "房间",
  subject: "主题",
  yourName: "你的名字",
  clock: "时钟",
  chat: "聊天",
  here: (count) => `${count} 人在线`,
  hereTitle: "谁在这里",
  you: "你",
  signedIn: "已登录",
  nameless: (count) => `另有 ${count} 人没有名字`,
  roomsTitle: "去过的房间",

  // the connection, for the dot's title and for screen readers
  connecting: "正在连接",
  waiting: "正在等待 NATS",
  open: "已连接",
  live: "实时",
  idleChoose: "请选择要读的内容",
  idleNothing: "没有可读的内容",
  comingBack: (reason) => `${reason}，正在恢复`,
  refused: (detail) => `被拒绝：${detail}`,
  reconnected: (times) => ` · 已重连 ${times} 次`,
  answered: (status) => `服务器返回 ${status}`,
  reasons: {
    network: "没有连接",
    offline: "没有网络",
    drain: "服务器正在重启",
    auth: "权限已到期",
    age: "正在更新连接",
    busy: "服务器现在没有空位",
  },

  // offline and refused
  offlineTitle: "没有连接",
  offlineWords: {
    network: "连不上服务器。本页会继续尝试。",
    offline: "本设备没有网络。网络恢复后本页会自动恢复。",
    nats: "服务器在，但它没有连上 NATS。本页会继续尝试。",
    drain: "服务器正在重启。本页会自动恢复。",
    auth: "权限已到期。本页正在重新请求。",
    age: "服务器正在更新连接。",
    busy: "服务器现在没有空位。本页会继续尝试。",
  },
  offlineKept: "你写的消息会保存在这里，恢复后发出。",
  retry: "立即重试",
  refusedTitle: "这个房间打不开",
  goTo: (room) => `去 ${room}`,

  // the room
  theRoom: "房间",
  messages: "消息",
  stillWater: "静水",
  hintWrite: "在下面写，或者从终端发布，两者都会到这里：",
  hintRead: "从终端发布的内容会到这里：",
  older: "加载更早的消息",
  olderBusy: "正在加载……",
  olderNone: "这是开头：没有保存更早的消息。",
  olderFailed: "现在读不到更早的消息。",
  newest: (count) => `${count} 条新消息`,
  came: (names) => `${names} 来了`,
  left: (names) => `${names} 离开了`,
  others: (count) => `另外 ${count} 人`,
  someone: "某人",
  fromNATS: "直接发布在主题上，不是来自本页",
  empty: "（空消息）",
  binary: (bytes) => `${bytes} 字节，不是文本`,
  showAll: "显示全部",
  copy: "复制",
  copied: "已复制",
  missed: {
    retention: "这里缺少一些消息：它们太旧，服务器已不再保存。",
    overrun: "这里缺少一些消息：它们来得太快，这个连接跟不上。",
    disconnected: "这里可能缺少一些消息：服务器曾与 NATS 断开。",
  },
  missedSome: "这里缺少一些消息。",
  reset: "服务器已不知道本页读到哪里：这里可能缺少一些消息。",

  // writing
  message: "消息",
  send: "发送",
  sendLater: "稍后发送",
  sending: "正在发送……",
  kept: "已保存，尚未发送",
  sent: "已发送",
  notSent: (reason) => `没有发送：${reason}`,
  again: "重试",
  takeBack: "修改",
  youAre: (name) => `别人看到你的名字是 ${name}。`,
  chooseName: "取个名字",
  readingFilter: "只读：消息要发到一个主题，而这是一个过滤器。",
  readingOnly: "只读：这里谁也不能写，除非 TAILWATER_ANONYMOUS_PUBLISH 允许。",

  // what may be read
  mayRead: "这里可以读的内容",
  oneOf: (filter) => `${filter} 中的一个`,
  signInTitle: "仅供已登录的人",
  signInWords: (setting) => `不登录就不能读这里的任何内容，除非 ${setting} 列出主题，例如 news.>`,
  nothingTitle: "还没有可读的内容",
  nothingWords: (setting) => `这里谁也不能读任何内容，除非 ${setting} 列出主题，例如 news.>`,

  // the clock
  clockWaiting: "正在等第一秒",
  clockTitle: "全部代码",
  clockWords: "服务器把时间发布在 NATS 主题 time.now 上。本页的脚本就是这些：",
  clockScript: "本页的脚本",
};

const languages = { en, zh };

export const language = navigator.languages.map((tag) => tag.slice(0, 2)).find((code) => code in languages) ?? "en";
export const words = languages[language];

document.documentElement.lang = language;
for (const element of document.querySelectorAll("[data-say]")) element.textContent = words[element.dataset.say];
for (const element of document.querySelectorAll("[data-label]")) element.ariaLabel = words[element.dataset.label];
for (const element of document.querySelectorAll("[data-inside]")) element.placeholder = words[element.dataset.inside];
