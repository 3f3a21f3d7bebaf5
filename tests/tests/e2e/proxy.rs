//! Brokers behind an HTTP proxy: Debian's tinyproxy before Mosquitto, with TLS and without, with a login and without, and what it refuses.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use mqtt_client_tests::config::{channel, cloud};
use mqtt_client_tests::daemon::run_with;
use mqtt_client_tests::pki::{Authority, request, s_server};
use mqtt_client_tests::port::Reserved;
use mqtt_client_tests::servers::{Mosquitto, Redis, Tinyproxy};
use mqtt_client_tests::{Config, Daemon, Site};

const LOGIN: &str = "BasicAuth gateway correctHorseBatteryStaple";

fn with_login(config: Config, password: &str) -> Config {
    let config = config.device_key("proxy_username", "gateway");
    config.device_key("proxy_password", password)
}

#[test]
fn a_broker_is_reached_through_tinyproxy_with_tls_and_without_with_a_login_and_without() {
    for (has_tls, has_login) in [(false, false), (false, true), (true, false), (true, true)] {
        let lines: &[&str] = if has_login { &[LOGIN] } else { &[] };
        let proxy = Tinyproxy::start_with(lines);
        let mut config = cloud()
            .with("mqtt_qos", 2)
            .with("proxy", proxy.place())
            .signal("p");
        if has_login {
            config = with_login(config, "correctHorseBatteryStaple");
        }
        let authority = Authority::new("Plant CA");
        let (broker, port) = if has_tls {
            let shown = authority.issue(request("broker").hosts(&["127.0.0.1"]));
            let (broker, port) = authority.broker(&shown, &[]);
            config = authority.secure(config, &authority.issue(request("gateway")));
            config = config.at(port.number());
            (broker, Some(port))
        } else {
            (Mosquitto::start(), None)
        };
        let port = port.map_or(broker.port(), |port| port.number());
        let site = Site::between(Redis::start(), broker, config);
        for number in 0..100 {
            site.publish("p", format!("{number},1708000203824,"));
            site.expect(&channel("p"), &format!("{number},1708000203824,1"));
        }
        let words = format!(
            "cloud: connected to 127.0.0.1:{port} through proxy {}",
            proxy.place()
        );
        site.daemon.stderr().wait_for(&[&words]);
        let requests = proxy
            .log()
            .with(&["Request", &format!("CONNECT 127.0.0.1:{port} HTTP/1.1")]);
        assert_eq!(requests.len(), 1, "{requests:?}");
    }
}

#[test]
fn what_tinyproxy_refuses_is_told_in_words() {
    let nobody = Reserved::new();
    let place = format!("cloud: 127.0.0.1:{} through proxy", nobody.number());
    let login: fn(Config, &str) -> Config = with_login;
    let without: fn(Config, &str) -> Config = |config, _| config;
    for (lines, with, expected) in [
        (
            &["ConnectPort 443"][..],
            without,
            "the proxy forbids this host or port: \"HTTP/1.1 403 Access violation\"",
        ),
        (
            &[LOGIN],
            without,
            "the proxy wants proxy_username and proxy_password: \"HTTP/1.0 407 Proxy Authentication Required\"",
        ),
        (
            &[LOGIN],
            login,
            "the proxy refuses proxy_username and proxy_password: \"HTTP/1.0 401 Unauthorized\"",
        ),
        (
            &[],
            without,
            "the proxy refuses: \"HTTP/1.1 500 Unable to connect\"",
        ),
    ] {
        let proxy = Tinyproxy::start_with(lines);
        let config = with(cloud().with("proxy", proxy.place()), "incorrectHorse");
        let config = config.with_ports(1, nobody.number());
        let mut daemon = Daemon::start_with(&config, &["-d", "4", "-r", "-m"]);
        daemon.stderr().wait_for(&[&place, expected]);
        let finished = daemon.stop();
        for line in finished.stderr.iter().chain(&finished.stdout) {
            assert!(!line.contains("incorrectHorse"), "{line}");
            assert!(!line.contains("Z2F0ZXdheTppbmNvcnJlY3"), "{line}");
        }
    }
}

#[test]
fn a_proxy_that_is_not_there_is_named() {
    let nobody = Reserved::new();
    let proxy = format!("127.0.0.1:{}", nobody.number());
    for (proxy, words) in [
        (proxy, "Connection refused"),
        ("proxy.invalid:3128".into(), "name does not resolve"),
    ] {
        let config = cloud().with("proxy", &*proxy).with_ports(1, 1883);
        let daemon = Daemon::start(&config);
        let place = format!("cloud: 127.0.0.1:1883 through proxy {proxy}: the proxy: {words}");
        daemon.stderr().wait_for(&["W ", &place]);
    }
}

/// A proxy that connects everybody to this port, whatever they ask for, and tells what they asked.
fn leads_to(port: u16) -> (String, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let place = listener.local_addr().expect("an address").to_string();
    let (sender, asked) = std::sync::mpsc::channel();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let sender = sender.clone();
            thread::spawn(move || -> std::io::Result<()> {
                let mut client = client;
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    client.read_exact(&mut byte)?;
                    head.extend(byte);
                }
                let _ = sender.send(String::from_utf8_lossy(&head).into_owned());
                let server = TcpStream::connect(("127.0.0.1", port))?;
                client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
                let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
                thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Both);
                });
                std::io::copy(&mut &server, &mut client)?;
                client.shutdown(Shutdown::Both)
            });
        }
    });
    (place, asked)
}

#[test]
fn the_brokers_name_is_the_proxys_to_look_up() {
    let broker = Mosquitto::start();
    let (place, asked) = leads_to(broker.port());
    // Nobody knows this name (RFC 6761, 6.4).
    let config = cloud()
        .with("proxy", place)
        .with("ip", "broker.invalid")
        .signal("p");
    let config = config.at(1883);
    let site = Site::between(Redis::start(), broker, config);
    site.publish("p", "1,1708000203824,");
    site.expect(&channel("p"), "1,1708000203824,1");
    let request = "CONNECT broker.invalid:1883 HTTP/1.1\r\nHost: broker.invalid:1883\r\n\r\n";
    assert_eq!(asked.recv().as_deref(), Ok(request));
}

#[test]
fn tls_is_with_the_broker_and_not_with_the_proxy() {
    let authority = Authority::new("Plant CA");
    let gateway = authority.issue(request("gateway"));
    let shown = authority.issue(request("broker").hosts(&["broker.invalid"]));
    let (broker, port) = authority.broker(&shown, &[]);
    let (place, _asked) = leads_to(port.number());
    let config = cloud()
        .with("ip", "broker.invalid")
        .with("proxy", place)
        .signal("p");
    let config = authority.secure(config, &gateway).at(8883);
    let site = Site::between(Redis::start(), broker, config.clone());
    site.publish("p", "1,1708000203824,");
    site.expect(&channel("p"), "1,1708000203824,1");

    // One that leads elsewhere, to a certificate of the same CA for another name.
    let other = authority.issue(request("other").hosts(&["other.example"]));
    let (_server, port) = s_server(&other, &[]);
    let (place, _asked) = leads_to(port.number());
    let config = config.device_key("proxy", place).with_ports(1, 0);
    let daemon = Daemon::start_with(&config, &["-d0"]);
    daemon.stderr().wait_for(&[
        "E cloud: broker.invalid:8883 through proxy",
        "the broker's certificate is for \"other.example\", not for \"broker.invalid\"",
    ]);
}

#[test]
fn a_reload_that_brings_a_proxy_loses_and_doubles_nothing() {
    let proxy = Tinyproxy::start_with(&[]);
    let config = cloud().with("mqtt_qos", 2).signal("p");
    let redis = Redis::start();
    let broker = Mosquitto::start();
    let config = config.with_ports(redis.port(), broker.port());
    let mut site = Site::between(redis, broker, config.clone());
    let mut number = 0;
    for through in [true, false, true] {
        for _ in 0..50 {
            site.publish("p", format!("{number},1708000203824,"));
            number += 1;
        }
        let mark = site.daemon.stderr().mark();
        let config = match through {
            true => config.clone().device_key("proxy", proxy.place()),
            false => config.clone(),
        };
        site.daemon.reload(&config);
        site.daemon
            .stderr()
            .wait_for_after(mark, &["cloud: online"]);
    }
    for number in 0..number {
        site.expect(&channel("p"), &format!("{number},1708000203824,1"));
    }
}

#[test]
fn check_says_that_a_proxy_is_used_and_what_goes_in_the_clear() {
    let config = with_login(cloud().with("proxy", "proxy.example:3128"), "secret").signal("p");
    let finished = run_with(&config.with_ports(1, 1883), &["--check"]);
    assert_eq!(finished.code, 0);
    let device =
        "device cloud \"Broker cloud\" 127.0.0.1:1883 through proxy proxy.example:3128 QoS 0";
    assert!(
        finished.stdout.iter().any(|line| line == device),
        "{:?}",
        finished.stdout
    );
    let warning = "devices[0].proxy_password: goes out in the clear";
    assert!(
        finished.stderr.iter().any(|line| line.contains(warning)),
        "{:?}",
        finished.stderr
    );
}
