//! Secrets are shown nowhere: neither by `-d 4 -r -m`, whatever Redis or a broker repeats, nor by `--check`, wherever in the table they stand.
//!
//! A new secret, a new peer or a new place in the table is one line of a list.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use mqtt_client_tests::config::cloud;
use mqtt_client_tests::daemon::{Finished, run_with};
use mqtt_client_tests::{Config, Daemon};

/// It may stand in base64, in a URL and in a line of RESP, and has no digits that a timestamp has.
const SECRET: &str = "correctHorseBatteryStaple";

/// A secret: what it is, and how it gets into the table.
type Secret = (&'static str, fn(Config) -> Config);

/// What Redis is told.
const REDIS_SECRETS: [Secret; 1] = [("redis.password", |config| config.redis("password", SECRET))];

/// What a broker is told.
const BROKER_SECRETS: [Secret; 3] = [
    ("password", |config| {
        let config = config.device_key("auth", "password");
        let config = config.device_key("username", "gateway");
        config.device_key("password", SECRET)
    }),
    ("username without a password", |config| {
        let config = config.device_key("auth", "password");
        let config = config.device_key("username", SECRET);
        config.device_key("password", "")
    }),
    ("token", |config| {
        let config = config.device_key("auth", "token");
        config.device_key("username", SECRET)
    }),
];

/// What a proxy is told.
const PROXY_SECRETS: [Secret; 1] = [("proxy_password", |config| {
    let config = config.device_key("proxy_username", "gateway");
    config.device_key("proxy_password", SECRET)
})];

/// The same in the form in which it is told.
const LOGIN: &str = "Z2F0ZXdheTpjb3JyZWN0SG9yc2VCYXR0ZXJ5U3RhcGxl";

/// Answers of a Redis, or of what stands in its place, to AUTH and SUBSCRIBE; and words that the daemon's output has then.
const REDIS_ANSWERS: [(&str, &[&str]); 9] = [
    (
        "-ERR invalid password \"{}\"\r\n",
        &["invalid password \"***\""],
    ),
    ("-WRONGPASS {} is wrong\r\n", &["WRONGPASS *** is wrong"]),
    (
        "-ERR unknown command 'AUTH', with args beginning with: '{}' \r\n",
        &["unknown command 'AUTH'"],
    ),
    (
        "-ERR AUTH {} xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx {} {}\r\n",
        &["AUTH *** x"],
    ),
    (
        "+OK\r\n-NOPERM no channel for {}\r\n",
        &["NOPERM no channel for ***"],
    ),
    ("+OK\r\n-DENIED {}\r\n", &["DENIED ***"]),
    (
        "+OK\r\n*3\r\n$9\r\nsubscribe\r\n$25\r\n{}\r\n:1\r\n",
        &["subscription to ***"],
    ),
    (
        "+OK\r\n*3\r\n$9\r\nsubscribe\r\n$14\r\ntag/cloud/p/in\r\n:1\r\n*3\r\n$7\r\nmessage\r\n$14\r\ntag/cloud/p/in\r\n$30\r\nAUTH {}\r\n",
        &["REDIS < tag/cloud/p/in AUTH ***"],
    ),
    (
        "HTTP/1.1 400 AUTH {}\r\n\r\n",
        &["does not speak Redis' protocol"],
    ),
];

/// The same of a broker, to CONNECT and, behind the bar, to PINGREQ.
const BROKER_ANSWERS: [(&str, &[&str]); 4] = [
    ("HTTP/1.1 400 {}\r\n\r\n", &["breaks the protocol"]),
    ("\x20\x02\0\x05{}", &["CONNACK 5"]),
    ("\x20\x02\0\0|\x0f\x19{}", &["from the broker: ", "***"]),
    (
        "\x20\x02\0\0|\x30\x1c\0\x19{}!",
        &["from the broker: ", "***"],
    ),
];

/// The same of a proxy, to CONNECT.
const PROXY_ANSWERS: [(&str, &[&str]); 4] = [
    ("HTTP/1.1 403 not with {}\r\n\r\n", &["403 not with ***"]),
    ("HTTP/1.1 407 Basic {}\r\n\r\n", &["407 Basic ***"]),
    ("{} is no HTTP\r\n", &["speaks no HTTP: \"*** is no HTTP"]),
    // Behind its answer it is what stands in the broker's place.
    (
        "HTTP/1.1 200 OK\r\n\r\n|\x20\x02\0\0|\x0f\x19{}",
        &["from the broker: ", "***"],
    ),
];

/// Places in the table where a secret may stand by mistake, in which form, and what `--check` says of it.
const PLACES: [(&str, &str, &str); 13] = [
    (
        "devices.proxy",
        "http://gateway:{}@127.0.0.1:3128",
        "is not host:port",
    ),
    (
        "devices.proxy",
        "127.0.0.1:3128:gateway:{}",
        "is not host:port",
    ),
    ("devices.proxy_username", "gateway:{}", "holds a colon"),
    (
        "devices.ip",
        "mqtt://gateway:{}@127.0.0.1",
        "is not an address",
    ),
    ("devices.ip", "gateway:{}@127.0.0.1", "is not an address"),
    ("devices.ip", "{}@127.0.0.1:1883", "is not an address"),
    (
        "devices.client_key",
        "-----BEGIN PRIVATE KEY-----{}",
        "not the path of a file",
    ),
    (
        "devices.client_key",
        "-----BEGIN PRIVATE KEY-----\n{}",
        "control character",
    ),
    (
        "devices.client_key",
        "MC4CAQAwBQYDK2VwBCIEIDHq6Zm9vJk0aB+cP/{}=",
        "not the path of a file",
    ),
    (
        "devices.ca_certificate",
        "-----BEGIN PRIVATE KEY-----{}",
        "not the path of a file",
    ),
    ("devices.username", "{}\u{1}", "control character"),
    ("redis.host", "redis://:{}@127.0.0.1", "is not an address"),
    (
        "redis.socket",
        "redis://:{}@127.0.0.1:6379",
        "not the path of a file",
    ),
];

/// The port of a server that answers what comes with these parts, one by one.
fn server(answer: &str) -> u16 {
    let answer = answer.replace("{}", SECRET);
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("its address").port();
    thread::spawn(move || {
        for mut link in listener.incoming().flatten() {
            let answer = answer.clone();
            thread::spawn(move || -> std::io::Result<()> {
                let mut parts = answer.split('|');
                while link.read(&mut [0; 4096])? > 0 {
                    link.write_all(parts.next().unwrap_or_default().as_bytes())?;
                }
                Ok(())
            });
        }
    });
    port
}

#[track_caller]
fn assert_shows_no_secret(what: &str, finished: &Finished) {
    for line in finished.stdout.iter().chain(&finished.stderr) {
        assert!(!line.contains(SECRET), "{what}: {line}");
        // Nor most of it.
        assert!(!line.contains(&SECRET[..12]), "{what}: {line}");
        assert!(!line.contains(&LOGIN[..14]), "{what}: {line}");
    }
}

/// Runs the daemon until its output has a line with these words, and looks at all of it.
fn run_until(what: &str, config: &Config, words: &[&str]) {
    let mut daemon = Daemon::start_with(config, &["-d", "4", "-r", "-m"]);
    mqtt_client_tests::wait::until(format_args!("{what}: {words:?}"), || {
        let outputs = [daemon.stderr(), daemon.stdout()];
        outputs.iter().find_map(|lines| lines.with(words).pop())
    });
    assert_shows_no_secret(what, &daemon.stop());
}

#[test]
fn whatever_redis_repeats() {
    thread::scope(|scope| {
        for (secret, with_secret) in REDIS_SECRETS {
            for (answer, words) in REDIS_ANSWERS {
                let config = with_secret(cloud().signal("p")).with_ports(server(answer), 1);
                scope.spawn(move || run_until(&format!("{secret}, {answer}"), &config, words));
            }
        }
    });
}

#[test]
fn whatever_a_broker_repeats() {
    thread::scope(|scope| {
        for (secret, with_secret) in BROKER_SECRETS {
            for (answer, words) in BROKER_ANSWERS {
                let config = with_secret(cloud().with("keep_alive", 5).signal("p"));
                let config = config.with_ports(1, server(answer));
                scope.spawn(move || run_until(&format!("{secret}, {answer}"), &config, words));
            }
        }
    });
}

#[test]
fn whatever_a_proxy_repeats() {
    thread::scope(|scope| {
        for (secret, with_secret) in PROXY_SECRETS {
            for (answer, words) in PROXY_ANSWERS {
                for form in [SECRET, LOGIN] {
                    let answer = answer.replace("{}", form);
                    let place = format!("127.0.0.1:{}", server(&answer));
                    let config = with_secret(cloud().with("proxy", place).with("keep_alive", 5));
                    let config = config.signal("p").with_ports(1, 1);
                    scope.spawn(move || run_until(&format!("{secret}, {answer}"), &config, words));
                }
            }
        }
    });
}

#[test]
fn wherever_it_stands_in_the_table() {
    for (place, form, words) in PLACES {
        let value = form.replace("{}", SECRET);
        let config = cloud()
            .with("auth", "tls")
            .with("username", "gateway")
            .with("ca_certificate", "/nowhere/ca.pem")
            .with("client_certificate", "/nowhere/client.pem")
            .with("client_key", "/nowhere/client.key")
            .with("proxy_password", "other")
            .with("proxy_username", "gateway")
            .signal("p");
        let config = match place.split_once('.') {
            Some(("redis", key)) => config.redis(key, value),
            Some((_, key)) => config.device_key(key, value),
            None => panic!("{place}"),
        };
        let finished = run_with(&config.with_ports(1, 1), &["--check"]);
        assert_shows_no_secret(place, &finished);
        let (_, key) = place.split_once('.').expect("a key");
        let found = finished.errors_with(&[key, words]);
        assert!(!found.is_empty(), "{place}: {form}: {:?}", finished.stderr);
    }
}
