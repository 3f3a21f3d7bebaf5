//! `auth`=`tls`: the daemon and real servers that speak TLS, with certificates made by each test.
//!
//! `cargo test -p mqtt-client-tests --test tls`.

mod brokers;
mod clouds;
mod entropy;
mod files;
mod messages;
mod reload;
mod sessions;

use mqtt_client_tests::pki::{Authority, Issued, request};
use mqtt_client_tests::port::Reserved;
use mqtt_client_tests::servers::{Mosquitto, Redis};
use mqtt_client_tests::{Config, Site};

/// A broker at 127.0.0.1 and a bridge, `gateway`, that trust one authority.
struct Secure {
    authority: Authority,
    gateway: Issued,
    broker: Mosquitto,
    port: Reserved,
}

impl Secure {
    /// `lines` are added to the configuration of the broker's TLS port.
    fn with(lines: &[&str]) -> Self {
        let authority = Authority::new("Plant CA");
        let gateway = authority.issue(request("gateway"));
        let shown = authority.issue(request("broker").hosts(&["127.0.0.1", "localhost"]));
        let (broker, port) = authority.broker(&shown, lines);
        Self {
            authority,
            gateway,
            broker,
            port,
        }
    }

    fn new() -> Self {
        Self::with(&[])
    }

    /// The configuration with the device's settings for this broker.
    fn config(&self, config: Config) -> Config {
        self.authority
            .secure(config, &self.gateway)
            .at(self.port.number())
    }

    /// The usual site.
    fn site(self, config: Config) -> (Site, Authority) {
        let config = self.config(config);
        (
            Site::between(Redis::start(), self.broker, config),
            self.authority,
        )
    }
}
