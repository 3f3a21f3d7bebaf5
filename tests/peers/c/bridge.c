// The bridge as a C programmer would write it with libmosquitto and hiredis: one thread, one poll(2), both libraries'
// own buffers. To be compared with, not to be used: it connects once, and ends when a connection does.
//
// bridge REDIS_PORT BROKER_PORT QOS WINDOW CHANNEL...

#include <ctype.h>
#include <hiredis/hiredis.h>
#include <mosquitto.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <fcntl.h>

enum { LONGEST = 128 };

static void fail(const char *what) {
    fprintf(stderr, "%s\n", what);
    exit(1);
}

// IV, NT or OV, in any letter case, between anything that is no letter, digit or '_'.
static bool is_bad(const char *flags, size_t len) {
    size_t at = 0;
    while (at < len) {
        size_t from = at;
        while (at < len && (isalnum((unsigned char)flags[at]) || flags[at] == '_')) at++;
        const char *token = flags + from;
        if (at - from == 2 && (!strncasecmp(token, "IV", 2) || !strncasecmp(token, "NT", 2) ||
                               !strncasecmp(token, "OV", 2)))
            return true;
        at++;
    }
    return false;
}

// "value,timestamp,flags" to "value,timestamp,quality"; its length, or 0 if it is malformed.
static size_t convert(const char *message, size_t len, char *payload) {
    if (len > LONGEST) return 0;
    char text[LONGEST + 1];
    memcpy(text, message, len);
    text[len] = '\0';
    char *end;
    strtod(text, &end);
    if (end == text || *end != ',') return 0;
    char *timestamp = end + 1;
    if (!isdigit((unsigned char)*timestamp)) return 0;
    strtoull(timestamp, &end, 10);
    if (*end != '\0' && *end != ',') return 0;
    size_t kept = (size_t)(end - text);
    bool bad = *end == ',' && is_bad(end + 1, len - kept - 1);
    memcpy(payload, text, kept);
    payload[kept] = ',';
    payload[kept + 1] = bad ? '0' : '1';
    return kept + 2;
}

static void forward(struct mosquitto *broker, const redisReply *reply, int qos) {
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3 ||
        strcmp(reply->element[0]->str, "message") != 0)
        return;
    const redisReply *channel = reply->element[1], *message = reply->element[2];
    char payload[LONGEST + 2];
    size_t len = convert(message->str, message->len, payload);
    if (len && mosquitto_publish(broker, NULL, channel->str, (int)len, payload, qos, false) != MOSQ_ERR_SUCCESS)
        fail("cannot publish");
}

static void subscribe(redisContext *redis, int count, char **channels) {
    const char **words = calloc((size_t)count + 1, sizeof *words);
    if (!words) fail("no memory");
    words[0] = "SUBSCRIBE";
    for (int i = 0; i < count; i++) words[i + 1] = channels[i];
    if (redisAppendCommandArgv(redis, count + 1, words, NULL) != REDIS_OK) fail(redis->errstr);
    free(words);
    for (int done = 0; !done;)
        if (redisBufferWrite(redis, &done) != REDIS_OK) fail(redis->errstr);
}

int main(int argc, char **argv) {
    if (argc < 6) fail("usage: bridge REDIS_PORT BROKER_PORT QOS WINDOW CHANNEL...");
    int qos = atoi(argv[3]);

    mosquitto_lib_init();
    struct mosquitto *broker = mosquitto_new("peer-c", qos == 0, NULL);
    if (!broker) fail("no memory");
    mosquitto_int_option(broker, MOSQ_OPT_TCP_NODELAY, 1);
    mosquitto_max_inflight_messages_set(broker, (unsigned)atoi(argv[4]));
    if (mosquitto_connect(broker, "127.0.0.1", atoi(argv[2]), 60) != MOSQ_ERR_SUCCESS) fail("no broker");

    redisContext *redis = redisConnect("127.0.0.1", atoi(argv[1]));
    if (!redis || redis->err) fail("no Redis");
    subscribe(redis, argc - 5, argv + 5);
    if (fcntl(redis->fd, F_SETFL, fcntl(redis->fd, F_GETFL) | O_NONBLOCK) < 0) fail("fcntl");
    redis->flags &= ~REDIS_BLOCK;

    for (;;) {
        struct pollfd fds[] = {
            {.fd = redis->fd, .events = POLLIN},
            {.fd = mosquitto_socket(broker), .events = POLLIN},
        };
        if (mosquitto_want_write(broker)) fds[1].events |= POLLOUT;
        if (poll(fds, 2, 1000) < 0) fail("poll");
        if (fds[1].revents & (POLLIN | POLLHUP) && mosquitto_loop_read(broker, 1000) != MOSQ_ERR_SUCCESS)
            fail("the broker is gone");
        if (fds[1].revents & POLLOUT && mosquitto_loop_write(broker, 1) != MOSQ_ERR_SUCCESS)
            fail("the broker is gone");
        if (fds[0].revents) {
            if (redisBufferRead(redis) != REDIS_OK) fail(redis->errstr);
            void *reply;
            while (redisGetReplyFromReader(redis, &reply) == REDIS_OK && reply) {
                forward(broker, reply, qos);
                freeReplyObject(reply);
            }
        }
        mosquitto_loop_misc(broker);
    }
}
