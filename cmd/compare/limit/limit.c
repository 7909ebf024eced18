/*
 * The bare limit: a loop that only writes ready frames to sockets that never block. The frames that wait for a subject's
 * readers are joined, and sent to each reader in one call. No server can need less.
 *
 * It receives messages as NATS does, from one publisher, and knows only PUB and PING of that protocol. Its frames are as
 * long as Tailwater's, byte for byte. GET /events/anything.7 reads subject 7. It checks nothing: it is not a server, but
 * the measure of servers.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	SUBJECTS = 1 << 20,
	EVENTS = 1024,
	REQUEST = 8 << 10,
	INTAKE = 1 << 20,  /* bytes of the publisher that are processed together */
	BACKLOG = 4 << 20, /* bytes that may wait for the slowest reader of a subject; then it is cut */
	SMALL = 4 << 10,   /* an empty buffer up to this size is kept */
};

/* A subject and the data that waits for its readers. Readers that are not late have everything before the last flush. */
struct subject {
	int *readers, count, room;
	char *waiting;
	size_t length, capacity, flushed;
	unsigned long sequence;
	int late, dirty;
};

struct reader {
	struct subject *subject; /* NULL before its request */
	int index;               /* among the subject's readers */
	int open, late;
	size_t from; /* a late reader's position in the waiting data */
};

static struct subject *subjects[SUBJECTS];
static struct subject **dirty;
static int dirty_count, dirty_room;
static struct reader *readers; /* by descriptor */
static int poller, http, nats, publisher = -1;
static char intake[INTAKE];
static size_t taken;

static const char HEAD[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
			   "Connection: close\r\n\r\n: limit\nretry: 2000\n\n";
static const char INFO[] = "INFO {\"server_id\":\"limit\",\"version\":\"2.0.0\",\"proto\":1,\"headers\":true,\"max_payload\":524288}\r\n";

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void *grow(void *old, size_t bytes)
{
	void *grown = realloc(old, bytes);
	if (!grown)
		die("realloc");
	return grown;
}

static void watch(int operation, int fd, unsigned events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};
	if (epoll_ctl(poller, operation, fd, &event) < 0)
		die("epoll_ctl");
}

static int listen_anywhere(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 4096) < 0)
		die("listen");
	watch(EPOLL_CTL_ADD, fd, EPOLLIN);
	return fd;
}

static int port_of(int fd)
{
	struct sockaddr_in address;
	socklen_t size = sizeof address;
	if (getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		die("getsockname");
	return ntohs(address.sin_port);
}

/* Returns the subject whose number is at the end of the name, which ends before end. */
static struct subject *find(const char *end)
{
	unsigned long number = 0, unit = 1;
	while (*--end >= '0' && *end <= '9' && unit < SUBJECTS * 10UL) {
		number += unit * (unsigned long)(*end - '0');
		unit *= 10;
	}
	struct subject **slot = &subjects[number % SUBJECTS];
	if (!*slot && !(*slot = calloc(1, sizeof **slot)))
		die("calloc");
	return *slot;
}

/* Waiting data is dropped once every reader has it. */
static void forget(struct subject *s)
{
	if (s->late)
		return;
	s->length = s->flushed = 0;
	if (s->capacity > SMALL) {
		free(s->waiting);
		s->waiting = NULL;
		s->capacity = 0;
	}
}

static void end(int fd)
{
	struct reader *r = &readers[fd];
	struct subject *s = r->subject;
	if (s) {
		int last = s->readers[--s->count];
		s->readers[r->index] = last;
		readers[last].index = r->index;
		s->late -= r->late;
	}
	memset(r, 0, sizeof *r);
	close(fd);
	if (s && !s->dirty)
		forget(s);
}

/* Writes the waiting data after a position. It returns false if the reader is gone. */
static int put(int fd, struct reader *r, size_t from)
{
	struct subject *s = r->subject;
	ssize_t n = send(fd, s->waiting + from, s->length - from, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		end(fd);
		return 0;
	}
	r->from = from + (n > 0 ? (size_t)n : 0);
	int late = r->from < s->length;
	if (late != r->late) {
		watch(EPOLL_CTL_MOD, fd, EPOLLRDHUP | (late ? EPOLLOUT : 0));
		s->late += late - r->late;
		r->late = late;
	}
	return 1;
}

static void flush(struct subject *s)
{
	for (int i = s->count - 1; i >= 0; i--) {
		int fd = s->readers[i];
		struct reader *r = &readers[fd];
		if (!r->late)
			put(fd, r, s->flushed);
		else if (s->length - r->from > BACKLOG)
			end(fd);
	}
	s->flushed = s->length;
	s->dirty = 0;
	forget(s);
}

/* Makes a frame of a message: data, and an id of Tailwater's form. */
static void append(struct subject *s, const char *payload, size_t size)
{
	if (!s->count)
		return;
	size_t most = s->length + size + 64;
	if (most > s->capacity) {
		s->capacity = most < SMALL / 8 ? SMALL / 8 : 2 * most;
		s->waiting = grow(s->waiting, s->capacity);
	}
	char *to = s->waiting + s->length;
	to = mempcpy(to, "data: ", 6);
	to = mempcpy(to, payload, size);
	to = mempcpy(to, "\nid: FDWOLB4TKVI6-", 18);
	char digits[20];
	int n = 0;
	for (unsigned long left = ++s->sequence; left || !n; left /= 10)
		digits[n++] = (char)('0' + left % 10);
	while (n)
		*to++ = digits[--n];
	to = mempcpy(to, "-dn66uz2qfx3d\n\n", 15);
	s->length = (size_t)(to - s->waiting);
	if (s->dirty)
		return;
	s->dirty = 1;
	if (dirty_count == dirty_room)
		dirty = grow(dirty, sizeof *dirty * (size_t)(dirty_room = 2 * dirty_room + 64));
	dirty[dirty_count++] = s;
}

static void answer_publisher(const char *text, size_t length)
{
	if (send(publisher, text, length, MSG_NOSIGNAL) != (ssize_t)length)
		die("answer the publisher");
}

/* Reads the publisher's messages, and writes all of them to the readers. */
static void take(void)
{
	ssize_t n = recv(publisher, intake + taken, sizeof intake - taken, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		close(publisher);
		publisher = -1;
		taken = 0;
		return;
	}
	taken += (size_t)n;
	char *at = intake, *over = intake + taken;
	for (;;) {
		char *line = memchr(at, '\n', (size_t)(over - at));
		if (!line)
			break;
		if (!memcmp(at, "PUB ", 4)) {
			char *name = memchr(at + 4, ' ', (size_t)(line - at - 4));
			if (!name)
				die("PUB");
			size_t size = strtoul(name + 1, NULL, 10);
			if ((size_t)(over - line - 1) < size + 2)
				break;
			append(find(name), line + 1, size);
			at = line + 1 + size + 2;
			continue;
		}
		if (!memcmp(at, "PING", 4))
			answer_publisher("PONG\r\n", 6);
		at = line + 1;
	}
	taken = (size_t)(over - at);
	memmove(intake, at, taken);
	for (int i = 0; i < dirty_count; i++)
		flush(dirty[i]);
	dirty_count = 0;
}

static void welcome(int fd)
{
	char request[REQUEST];
	ssize_t n = recv(fd, request, sizeof request, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	char *path = n > 4 ? memchr(request + 4, ' ', (size_t)n - 4) : NULL;
	if (!path || send(fd, HEAD, sizeof HEAD - 1, MSG_NOSIGNAL) < 0) {
		end(fd);
		return;
	}
	struct reader *r = &readers[fd];
	struct subject *s = r->subject = find(path);
	if (s->count == s->room)
		s->readers = grow(s->readers, sizeof *s->readers * (size_t)(s->room = s->room ? 2 * s->room : 1));
	r->index = s->count;
	s->readers[s->count++] = fd;
	watch(EPOLL_CTL_MOD, fd, EPOLLRDHUP);
}

static void accept_all(int listener, int room)
{
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		if (listener == nats && publisher < 0) {
			publisher = fd;
			watch(EPOLL_CTL_ADD, fd, EPOLLIN);
			answer_publisher(INFO, sizeof INFO - 1);
		} else if (listener == http && fd < room) {
			readers[fd].open = 1;
			watch(EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLRDHUP);
		} else {
			close(fd);
		}
	}
}

int main(void)
{
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		die("getrlimit");
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	int room = files.rlim_cur < SUBJECTS ? (int)files.rlim_cur : SUBJECTS;
	readers = calloc((size_t)room, sizeof *readers);
	poller = epoll_create1(EPOLL_CLOEXEC);
	if (!readers || poller < 0)
		die("start");
	http = listen_anywhere();
	nats = listen_anywhere();
	printf("{\"http\":\"http://127.0.0.1:%d\",\"nats\":\"nats://127.0.0.1:%d\"}\n", port_of(http), port_of(nats));
	fflush(stdout);
	struct epoll_event events[EVENTS];
	for (;;) {
		int n = epoll_wait(poller, events, EVENTS, -1);
		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			struct reader *r = &readers[fd];
			if (fd == http || fd == nats)
				accept_all(fd, room);
			else if (fd == publisher)
				take();
			else if (!r->open)
				continue; /* an earlier event has ended it */
			else if (events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
				end(fd);
			else if (!r->subject)
				welcome(fd);
			else if (r->late && put(fd, r, r->from) && !r->subject->dirty)
				forget(r->subject);
		}
	}
}
