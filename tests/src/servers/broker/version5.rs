//! Brokers with a listener for MQTT 5: as they are shipped, with limits set tight, or with a topic that nobody may publish to.

use std::path::Path;

use super::kinds::{one_at_a_time, source, target, write};
use super::{Broker, Command};
use crate::install::{self, packages};
use crate::port::Reserved;

/// Which broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind5 {
    /// Mosquitto, of Debian.
    Mosquitto,
    /// rmqttd, of crates.io: the broker rmqtt, without its bridges and stores.
    Rmqtt,
    /// rumqttd, of crates.io.
    Rumqttd,
}

/// All kinds.
pub const KINDS_5: [Kind5; 3] = [Kind5::Mosquitto, Kind5::Rmqtt, Kind5::Rumqttd];

/// What a broker is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules<'a> {
    /// It is as it is shipped, and lets everybody in.
    Shipped,
    /// Its limits are [`tight`].
    Tight,
    /// Nobody may publish to this topic.
    NotTo(&'a str),
    /// What it keeps outlives a restart. Only Mosquitto can.
    Persistent,
}

/// Tight limits. A broker with them has no QoS 2 and no retained messages.
pub mod tight {
    /// Messages of QoS 1 at a time (Receive Maximum).
    pub const AT_A_TIME: usize = 2;
    /// Bytes of the longest packet (Maximum Packet Size).
    pub const LONGEST_PACKET: usize = 100;
    /// Seconds (Server Keep Alive): what the subscriber asks for.
    pub const KEEP_ALIVE: u16 = 60;
    /// Topic Alias Maximum.
    pub const ALIASES: usize = 2;
}

impl Broker {
    /// Starts a broker with a listener for MQTT 5 at its [`port`](Broker::port).
    ///
    /// # Panics
    ///
    /// If it cannot be installed or started, or does not know these rules.
    #[must_use]
    pub fn of_version_5(kind: Kind5, rules: Rules<'_>) -> Self {
        let prepare = match kind {
            Kind5::Mosquitto => mosquitto,
            Kind5::Rmqtt => rmqtt,
            Kind5::Rumqttd => rumqttd,
        };
        // rumqttd has one listener for each version, and the subscriber is of 3.1.1.
        let subscribers = (kind == Kind5::Rumqttd).then(Reserved::new);
        Self::prepared(subscribers, |folder, port, subscribers| {
            prepare(folder, port, subscribers, rules)
                .unwrap_or_else(|error| panic!("{kind:?}: {error}"))
        })
    }
}

fn mosquitto(folder: &Path, port: u16, _: u16, rules: Rules<'_>) -> Result<Command, String> {
    let mut lines = vec![
        format!("listener {port} 127.0.0.1"),
        String::from("allow_anonymous true"),
        format!("persistence_location {}/", folder.display()),
        String::from("log_dest stderr"),
        String::from("log_type all"),
    ];
    if rustix::process::geteuid().is_root() {
        // As root it would change to a user that may not write to the folder.
        lines.push(String::from("user root"));
    }
    match rules {
        Rules::Shipped => {}
        Rules::Persistent => lines.push(String::from("persistence true")),
        Rules::Tight => lines.extend([
            format!("max_inflight_messages {}", tight::AT_A_TIME),
            format!("max_packet_size {}", tight::LONGEST_PACKET),
            format!("max_keepalive {}", tight::KEEP_ALIVE),
            format!("max_topic_alias {}", tight::ALIASES),
            String::from("max_qos 1"),
            String::from("retain_available false"),
        ]),
        Rules::NotTo(topic) => {
            let file = folder.join("acl");
            write(&file, &format!("topic readwrite #\ntopic deny {topic}\n"))?;
            lines.push(format!("acl_file {}", file.display()));
        }
    }
    let file = folder.join("mosquitto.conf");
    write(&file, &(lines.join("\n") + "\n"))?;
    let arguments = vec![String::from("-c"), file.display().to_string()];
    Ok(Command::new(install::path(install::MOSQUITTO), arguments))
}

fn rmqtt(folder: &Path, port: u16, _: u16, rules: Rules<'_>) -> Result<Command, String> {
    let target = target("rmqtt");
    one_at_a_time(|| packages::cargo(&source("rmqtt"), &target, &[]))?;
    // Its own rules have `#` for nobody but this machine's programs, and refuse with a closed connection.
    let denied = match rules {
        Rules::NotTo(topic) => format!("[\"deny\", \"all\", \"publish\", [\"{topic}\"]], "),
        _ => String::new(),
    };
    write(
        &folder.join("rmqtt-acl.toml"),
        &format!("disconnect_if_pub_rejected = false\nrules = [{denied}[\"allow\", \"all\"]]\n"),
    )?;
    let limits = match rules {
        Rules::Tight => "tight",
        Rules::Persistent => return Err(String::from("it keeps nothing here")),
        Rules::Shipped | Rules::NotTo(_) => "usual",
    };
    let arguments = vec![
        port.to_string(),
        folder.display().to_string(),
        String::from(limits),
    ];
    Ok(Command::new(target.join("debug/broker-rmqtt"), arguments))
}

fn rumqttd(
    folder: &Path,
    port: u16,
    subscribers: u16,
    rules: Rules<'_>,
) -> Result<Command, String> {
    if rules != Rules::Shipped {
        return Err(String::from("it has no such rules"));
    }
    let target = target("rumqttd");
    one_at_a_time(|| packages::cargo(&source("rumqttd"), &target, &[]))?;
    // As in the file that it is shipped with, but for the addresses.
    let listener = |version: &str, port: u16| {
        format!(
            "[{version}.1]\n\
             name = \"{version}-1\"\n\
             listen = \"127.0.0.1:{port}\"\n\
             next_connection_delay_ms = 1\n\
             [{version}.1.connections]\n\
             connection_timeout_ms = 60000\n\
             max_payload_size = 20480\n\
             max_inflight_count = 100\n\
             dynamic_filters = true\n"
        )
    };
    let text = format!(
        "id = 0\n\
         [router]\n\
         id = 0\n\
         max_connections = 10010\n\
         max_outgoing_packet_count = 200\n\
         max_segment_size = 104857600\n\
         max_segment_count = 10\n\
         {}{}",
        listener("v4", subscribers),
        listener("v5", port),
    );
    let file = folder.join("rumqttd.toml");
    write(&file, &text)?;
    let arguments = vec![file.display().to_string()];
    Ok(Command::new(target.join("debug/broker-rumqttd"), arguments))
}
