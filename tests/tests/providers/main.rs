//! The daemon before models of cloud providers: what `--check` warns of is refused, and the tables of `docs/brokers.md` work.
//!
//! A provider's host is this machine here: a few lines in front of the daemon's libraries answer each name with 127.0.0.1, so that the name in the
//! TLS handshake is the provider's.

mod refusals;
mod rows;
mod teeth;

use std::path::Path;
use std::sync::OnceLock;

use mqtt_client_model_broker::providers::Account;
use mqtt_client_model_broker::{Event, Files, Message, ModelBroker, Profile, Refusal, providers};
use mqtt_client_tests::daemon::run_under;
use mqtt_client_tests::pki::{Authority, Issued, request};
use mqtt_client_tests::preload::Preload;
use mqtt_client_tests::servers::Redis;
use mqtt_client_tests::{Config, Daemon, page, wait};

/// The model of a provider, which knows one account.
type Model = fn(&Account) -> Profile;

/// A heading of the page, and the model of that provider.
const PROVIDERS: [(&str, Model); 6] = [
    ("AWS IoT Core", providers::aws_iot_core),
    ("AWS IoT Core, port 443", providers::aws_iot_core_443),
    ("Azure IoT Hub", providers::azure_iot_hub),
    ("Azure Event Grid", providers::azure_event_grid),
    ("HiveMQ Cloud", providers::hivemq_cloud),
    ("EMQX Cloud", providers::emqx_cloud),
];

/// It takes no messages but JSON, which ours are not.
const THINGSBOARD: &str = "ThingsBoard";

/// Answers each look-up with 127.0.0.1.
const EVERY_NAME_IS_HERE: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>

typedef int lookup(const char *, const char *, const struct addrinfo *, struct addrinfo **);

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **result) {
    lookup *real = (lookup *)dlsym(RTLD_NEXT, "getaddrinfo");
    return real(name ? "127.0.0.1" : name, service, hints, result);
}
"#;

/// What the provider has on record of the device in a table.
fn account(config: &Config) -> Account {
    let text = |key| String::from(config.device_text(key).unwrap_or_default());
    Account {
        host: text("ip"),
        client_id: text("client_id"),
        username: text("username"),
        password: text("password"),
    }
}

/// The authority of a provider, with the certificates of both sides.
struct Certificates {
    authority: Authority,
    shown: Issued,
    own: Issued,
}

impl Certificates {
    fn new(account: &Account) -> Self {
        let authority = Authority::new("Provider CA");
        Self {
            shown: authority.issue(request("broker").hosts(&[&account.host, "127.0.0.1"])),
            own: authority.issue(request("gateway")),
            authority,
        }
    }

    fn files(&self) -> Files {
        Files {
            certificate: self.shown.certificate.clone(),
            key: self.shown.key.clone(),
            clients_ca: self.authority.file(),
        }
    }

    /// What stands in front of the daemon's command line: every name is here, and the provider's authority is one of the system's.
    fn words(&self) -> Vec<String> {
        let system = format!("SSL_CERT_FILE={}", self.authority.file().display());
        let mut words = names_are_here().to_vec();
        words.push(system);
        words
    }

    /// The table with these files in the place of those that it names.
    fn in_place(&self, config: Config) -> Config {
        let files = [
            ("ca_certificate", &self.authority.file()),
            ("client_certificate", &self.own.certificate),
            ("client_key", &self.own.key),
        ];
        files.into_iter().fold(config, |config, (key, path)| {
            let shown = |path: &Path| path.display().to_string();
            match config.device_text(key) {
                Some("system") | None => config,
                Some(_) => config.device_key(key, shown(path)),
            }
        })
    }
}

/// A bridge between a Redis and the model of a provider.
///
/// The fields are in the order in which they end.
struct Site {
    daemon: Daemon,
    broker: ModelBroker,
    redis: Redis,
    alias: String,
    _certificates: Certificates,
}

impl Site {
    /// With the table, whose files and port are replaced; the account is what the provider has on record.
    fn start(config: Config, account: &Account, profile: Model) -> Self {
        let certificates = Certificates::new(account);
        let files = certificates.files();
        let broker = ModelBroker::start(profile(account), Some(&files)).expect("a broker");
        let redis = Redis::start();
        let config = certificates.in_place(config).at(broker.port());
        let config = config.with_ports(redis.port(), broker.port());
        let site = Self {
            daemon: Daemon::start_under(&certificates.words(), &config),
            alias: String::from(config.device_text("device_alias").expect("an alias")),
            broker,
            redis,
            _certificates: certificates,
        };
        site.redis.wait_for_subscriptions(&config.channels());
        site
    }

    /// Publishes a measurement of the first signal.
    fn publish(&self, message: &str) {
        let channels = self.redis.subscribed_channels();
        assert_eq!(self.redis.publish(&channels[0], message), 1);
    }

    /// Waits for an event.
    #[track_caller]
    fn wait_for(&self, what: &str, wanted: impl Fn(&Event) -> bool) -> Event {
        wait::until(format_args!("{what}: {:?}", self.broker.events()), || {
            self.broker.events().into_iter().find(|event| wanted(event))
        })
    }

    #[track_caller]
    fn wait_for_refusal(&self, refusal: Refusal) {
        let is_it = |event: &Event| *event == Event::Refused(refusal);
        self.wait_for(&format!("{refusal:?}"), is_it);
    }

    /// Waits for a message that was taken.
    #[track_caller]
    fn next(&self) -> Message {
        let event = self.wait_for("a message", |event| matches!(event, Event::Taken(_)));
        match event {
            Event::Taken(message) => message,
            other => panic!("{other:?}"),
        }
    }
}

/// In front of the daemon's command line.
fn names_are_here() -> [String; 2] {
    static LIBRARY: OnceLock<Preload> = OnceLock::new();
    LIBRARY
        .get_or_init(|| Preload::new(EVERY_NAME_IS_HERE))
        .words()
}

/// The warnings of `--check`, without the file's name. The table has to be right otherwise.
fn warnings(config: Config, account: &Account) -> Vec<String> {
    let certificates = Certificates::new(account);
    let words = certificates.words();
    let finished = run_under(&words, &certificates.in_place(config), &["--check"]);
    assert_eq!(finished.code, 0, "{:?}", finished.stderr);
    // The rest is about the file itself, which here everybody may read.
    let findings = finished.stderr.iter().filter_map(|line| {
        let (_, finding) = line.split_once("mqtt.json: ")?;
        let is_of_a_row = finding.starts_with("devices[") || finding.starts_with("signals[");
        is_of_a_row.then(|| String::from(finding))
    });
    findings.collect()
}

/// The table of a section of `docs/brokers.md`.
fn table(heading: &str) -> Config {
    page::table("docs/brokers.md", heading)
}
