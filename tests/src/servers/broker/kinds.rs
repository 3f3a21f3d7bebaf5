//! How each kind of broker is installed, configured and started.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde_json::json;

use super::{Access, Command, Kind};
use crate::install::{self, Tool, packages};
use crate::port::Reserved;
use crate::process::Process;
use crate::program::{output, workspace};

/// ActiveMQ, with what its MQTT connector needs.
const ACTIVEMQ: [Tool; 3] = [
    Tool::new("/usr/share/activemq/bin/activemq.jar", "activemq"),
    Tool::new("/usr/share/java/mqtt-client.jar", "libmqtt-client-java"),
    JAVA,
];
const JAVA: Tool = Tool::new("java", "default-jre-headless");
const RABBITMQ: Tool = Tool::new("/usr/lib/rabbitmq/bin/rabbitmq-server", "rabbitmq-server");
/// Erlang's directory of names, without which RabbitMQ does not start.
const EPMD: Tool = Tool::new("epmd", "erlang-base");

/// Installs a broker if need be, and writes its configuration into `folder`.
///
/// # Panics
///
/// If it cannot be installed, or does not know the wanted `access`.
pub(super) fn prepare(kind: Kind, folder: &Path, port: u16, access: Access<'_>) -> Command {
    let prepare = match kind {
        Kind::ActiveMq => activemq,
        Kind::Aedes => aedes,
        Kind::Amqtt => amqtt,
        Kind::RabbitMq => rabbitmq,
        Kind::Rumqttd => rumqttd,
    };
    prepare(folder, port, access).unwrap_or_else(|error| panic!("{kind:?}: {error}"))
}

/// What keeps two tests from installing the same at once.
static TURN: Mutex<()> = Mutex::new(());

fn aedes(_: &Path, port: u16, access: Access<'_>) -> Result<Command, String> {
    let home = target("aedes");
    one_at_a_time(|| packages::npm(&source("aedes"), &home))?;
    let rules = match access {
        Access::Everything => json!({ "port": port }),
        Access::User(user, password) => json!({ "port": port, "user": user, "password": password }),
        Access::NotTo(topic) => json!({ "port": port, "forbidden": topic }),
    };
    let script = home.join("broker.mjs").display().to_string();
    let arguments = vec![script, rules.to_string()];
    Ok(Command::new(install::path(packages::NODE), arguments))
}

fn amqtt(folder: &Path, port: u16, access: Access<'_>) -> Result<Command, String> {
    let requirements = source("amqtt").join("requirements.txt");
    let programs = one_at_a_time(|| packages::python(&requirements, &target("amqtt")))?;
    let plugin = match access {
        Access::Everything => String::from("AnonymousAuthPlugin:\n    allow_anonymous: true"),
        Access::User(user, password) => {
            let hash = "from pwdlib.hashers.argon2 import Argon2Hasher as H; import sys; print(H().hash(sys.argv[1]))";
            let mut python = std::process::Command::new(programs.join("python"));
            let hash = output(python.args(["-c", hash, password]))?;
            let file = folder.join("passwords");
            write(&file, &format!("{user}:{hash}"))?;
            format!(
                "FileAuthPlugin:\n    password_file: {file}",
                file = file.display()
            )
        }
        Access::NotTo(_) => return Err(not_made()),
    };
    let text = format!(
        "listeners:\n  default:\n    type: tcp\n    bind: 127.0.0.1:{port}\n\
         plugins:\n  amqtt.plugins.authentication.{plugin}\n"
    );
    let file = folder.join("amqtt.yaml");
    write(&file, &text)?;
    let arguments = vec![String::from("-c"), file.display().to_string()];
    Ok(Command::new(programs.join("amqtt"), arguments))
}

fn rumqttd(folder: &Path, port: u16, access: Access<'_>) -> Result<Command, String> {
    let target = target("rumqttd");
    one_at_a_time(|| packages::cargo(&source("rumqttd"), &target, &[]))?;
    // As in the file that it is shipped with, but for the address.
    let mut text = format!(
        "id = 0\n\
         [router]\n\
         id = 0\n\
         max_connections = 10010\n\
         max_outgoing_packet_count = 200\n\
         max_segment_size = 104857600\n\
         max_segment_count = 10\n\
         [v4.1]\n\
         name = \"v4-1\"\n\
         listen = \"127.0.0.1:{port}\"\n\
         next_connection_delay_ms = 1\n\
         [v4.1.connections]\n\
         connection_timeout_ms = 60000\n\
         max_payload_size = 20480\n\
         max_inflight_count = 100\n\
         dynamic_filters = true\n"
    );
    match access {
        Access::Everything => {}
        Access::User(user, password) => {
            text += &format!("[v4.1.connections.auth]\n{user} = \"{password}\"\n");
        }
        Access::NotTo(_) => return Err(not_made()),
    }
    let file = folder.join("rumqttd.toml");
    write(&file, &text)?;
    let arguments = vec![file.display().to_string()];
    Ok(Command::new(target.join("debug/broker-rumqttd"), arguments))
}

fn activemq(folder: &Path, port: u16, access: Access<'_>) -> Result<Command, String> {
    install::ensure(&ACTIVEMQ)?;
    let plugins = match access {
        Access::Everything => String::new(),
        Access::User(user, password) => format!(
            "<plugins><simpleAuthenticationPlugin><users>\
             <authenticationUser username=\"{user}\" password=\"{password}\" groups=\"users\"/>\
             </users></simpleAuthenticationPlugin></plugins>"
        ),
        Access::NotTo(_) => return Err(not_made()),
    };
    let data = folder.display();
    let text = format!(
        "<beans xmlns=\"http://www.springframework.org/schema/beans\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
         xsi:schemaLocation=\"http://www.springframework.org/schema/beans \
         http://www.springframework.org/schema/beans/spring-beans-2.0.xsd \
         http://activemq.apache.org/schema/core http://activemq.apache.org/schema/core/activemq-core.xsd\">\n\
         <broker xmlns=\"http://activemq.apache.org/schema/core\" useJmx=\"false\" brokerName=\"localhost\" \
         dataDirectory=\"{data}\">{plugins}\n\
         <persistenceAdapter><kahaDB directory=\"{data}/kahadb\"/></persistenceAdapter>\n\
         <transportConnectors><transportConnector name=\"mqtt\" uri=\"mqtt://127.0.0.1:{port}\"/></transportConnectors>\n\
         </broker>\n</beans>\n"
    );
    let file = folder.join("activemq.xml");
    write(&file, &text)?;
    let jars = [
        "/usr/share/activemq/bin/activemq.jar",
        "/usr/share/activemq/lib/*",
        "/usr/share/activemq/lib/optional/*",
        "/usr/share/java/mqtt-client.jar",
        "/usr/share/java/hawtdispatch.jar",
        "/usr/share/java/hawtdispatch-transport.jar",
    ];
    let arguments = vec![
        String::from("-Xmx256m"),
        String::from("-Dactivemq.home=/usr/share/activemq"),
        format!("-Dactivemq.base={data}"),
        String::from("-cp"),
        jars.join(":"),
        String::from("org.apache.activemq.console.Main"),
        String::from("start"),
        format!("xbean:file:{}", file.display()),
    ];
    Ok(Command::new(install::path(JAVA), arguments))
}

fn rabbitmq(folder: &Path, port: u16, access: Access<'_>) -> Result<Command, String> {
    install::ensure(&[RABBITMQ, EPMD])?;
    let access = match access {
        Access::Everything => String::from("mqtt.allow_anonymous = true"),
        Access::User(user, password) => format!(
            "mqtt.allow_anonymous = false\ndefault_user = {user}\ndefault_pass = {password}"
        ),
        Access::NotTo(_) => return Err(not_made()),
    };
    write(
        &folder.join("rabbitmq.conf"),
        &format!("listeners.tcp = none\nmqtt.listeners.tcp.default = 127.0.0.1:{port}\n{access}\n"),
    )?;
    write(&folder.join("plugins"), "[rabbitmq_mqtt].\n")?;
    // Erlang's own protocol has ports too, and both would be fixed ones.
    let (names, nodes) = (Reserved::new(), Reserved::new());
    let name_port = format!("ERL_EPMD_PORT={}", names.number());
    // Started here, since RabbitMQ would leave it behind.
    let epmd = Process::start_under(
        &words(&["env", &name_port, "ERL_EPMD_ADDRESS=127.0.0.1"]),
        "epmd",
        &install::path(EPMD),
        &[],
    );
    let path = |name: &str| folder.join(name).display().to_string();
    let settings = [
        String::from("env"),
        name_port,
        format!("HOME={}", folder.display()),
        String::from("RABBITMQ_NODENAME=broker@localhost"),
        format!("RABBITMQ_DIST_PORT={}", nodes.number()),
        String::from(
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}",
        ),
        format!("RABBITMQ_CONFIG_FILE={}", path("rabbitmq.conf")),
        format!("RABBITMQ_ENABLED_PLUGINS_FILE={}", path("plugins")),
        format!("RABBITMQ_MNESIA_BASE={}", path("data")),
        String::from("RABBITMQ_CONF_ENV_FILE=/dev/null"),
        String::from("RABBITMQ_LOGS=-"),
        // So that the process that is started becomes the broker, which a kill then ends.
        String::from("RUNNING_UNDER_SYSTEMD=true"),
    ];
    Ok(Command {
        words: settings.to_vec(),
        _helper: Some((epmd, [names, nodes])),
        ..Command::new(install::path(RABBITMQ), Vec::new())
    })
}

impl Command {
    pub(super) fn new(program: PathBuf, arguments: Vec<String>) -> Self {
        Self {
            words: Vec::new(),
            program,
            arguments,
            _helper: None,
        }
    }
}

pub(super) fn one_at_a_time<T>(install: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let _turn = TURN.lock().unwrap_or_else(|broken| broken.into_inner());
    install()
}

fn not_made() -> String {
    String::from("topics are forbidden only at aedes")
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| String::from(word)).collect()
}

pub(super) fn write(file: &Path, text: &str) -> Result<(), String> {
    fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))
}

/// Where the sources of the brokers' programs are.
pub(super) fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("brokers")
        .join(name)
}

/// Where what is installed goes.
pub(super) fn target(name: &str) -> PathBuf {
    workspace().join("target/brokers").join(name)
}
