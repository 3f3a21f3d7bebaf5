//! What crosses the parts of the product: real servers, faults, and the daemon seen from outside.
//!
//! A test reads as a specification. [`Site`] is the usual setting, one Redis, one broker and the bridge between them:
//!
//! ```no_run
//! use mqtt_client_tests::{Site, config};
//!
//! let site = Site::start(config::cloud().with("mqtt_qos", 1).signal("p").with("topic", "plant/p"));
//! site.publish("p", "12.5,1708000203824,IV");
//! site.expect("plant/p", "12.5,1708000203824,0");
//! ```
//!
//! Other settings are put together from the same pieces:
//!
//! | piece | is |
//! |---|---|
//! | [`servers::Redis`], [`servers::Mosquitto`], [`servers::Broker`], [`servers::Tinyproxy`] | the real servers, on free loopback ports, in a temporary folder |
//! | [`Subscriber`] | an MQTT client that is not our own code, and remembers all that it receives |
//! | [`Daemon`] | the product: configuration, arguments, signals, output, exit code |
//! | [`Board`] | the product without an operating system, on an emulated board |
//! | [`Machine`] | the product on a whole emulated gateway |
//! | [`Proxy`] | a link that can be cut, reset, stalled or refused |
//! | [`pki`] | certificates, and servers that show them |
//! | [`supply`] | what is in a program that is shipped, and by whose leave |
//! | [`FakeBroker`] | a broker that says what the test tells it to, packet by packet |
//!
//! Nothing here uses a fixed port, a fixed pause or a service of the machine. Waiting is always for a condition
//! ([`wait`]), and randomness always has a printed seed ([`seed`]).

pub mod bench;
pub mod board;
pub mod config;
pub mod counters;
pub mod daemon;
pub mod debian_rust;
pub mod earlier;
pub mod elf;
pub mod fake_broker;
pub mod faults;
pub mod gateway;
pub mod install;
pub mod libtest;
pub mod live;
pub mod machine;
pub mod namespace;
pub mod page;
pub mod pki;
pub mod plant;
pub mod port;
pub mod preload;
pub mod process;
pub mod program;
pub mod proxy;
pub mod seed;
pub mod servers;
pub mod site;
pub mod spool;
pub mod subscriber;
pub mod supply;
pub mod table;
pub mod wait;
pub mod zig;

pub use board::Board;
pub use config::Config;
pub use counters::Counters;
pub use daemon::Daemon;
pub use fake_broker::FakeBroker;
pub use machine::Machine;
pub use proxy::Proxy;
pub use site::Site;
pub use subscriber::Subscriber;
