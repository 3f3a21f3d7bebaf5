//! The deterministic simulator: whole lives of the real bridge between a model Redis and model brokers, over a simulated network, on a
//! virtual clock. Everything that happens in a life follows from one number, its seed.
//!
//! ```text
//! seed -> plan (world, happenings) -> life (bridge, lines, servers, clock) -> verdict (properties)
//! ```
//!
//! | module | question |
//! |---|---|
//! | [`world`] | which configuration, which sizes, which servers? |
//! | [`plan`] | what happens when? An explicit list, so that a failing life can be shortened |
//! | [`life`] | one life, step by step |
//! | [`stage`] | the bridge, made, taken apart and made again as the daemon does it |
//! | [`mod@line`] | the network: delays, splits, cuts at any byte, half-open connections, stalls, refusals, look-ups |
//! | [`ends`], [`mod@broker`], `redis` | the servers, with restarts, withheld and doubled acknowledgements, hostile bytes, and brokers as they are |
//! | [`proxy`] | an HTTP proxy before a broker, which refuses, closes, is slow or says what it should not |
//! | [`ledger`] | a second book of what the bridge holds and may say next, kept from outside |
//! | [`property`] | what has to hold, by name |
//! | [`run`] | a seed from number to verdict, and the shortest plan that breaks the same |
//! | [`trace`] | what happened when, and what was logged |
//! | [`mutants`] | deliberate mistakes that must be caught |
//! | [`fleet`] | thousands of bridges and one broker |
//!
//! # What is modelled, and what is not
//!
//! A connection keeps the order of its bytes, as TCP does, and loses none but by breaking. A broker reads strictly, keeps to MQTT 3.1 and
//! 3.1.1 in either of the two ways that QoS 2 may be done, takes a session over on a new connection, and closes after one and a half
//! keep-alives. It may hold acknowledgements back, send them in any order, twice, slowly, much later, or not at all, send messages that
//! nobody asked for, forbid a topic by closing, restart with its session or without, refuse, hang up, claim a session that is not there, or
//! send what no broker may. Two worlds in five have brokers that do as some in the field do ([`broker::Kind`]). One broker in five has an HTTP proxy before
//! it, which may refuse, close, fall silent, be slow, never come to an end or speak another protocol, and says whatever secret it was told. Redis may restart, refuse
//! all, PING only or some channels, fall silent, send what is no RESP2, and what nobody asked for. The bridge's clock may jump, the bridge may not be called for a while, and
//! its process may be killed and begin again.
//!
//! One life in ten is calm: one kind of fault befalls one device, and more is asked of it then.
//!
//! A reload keeps every device and the Redis server: signals come, go and change their order, and another keep-alive takes each session to a
//! new connection. What the port decides beyond that is not modelled.
//!
//! Not modelled either: TLS, the port's own sockets and poller (the end-to-end tests have both), and the 65,535 messages after which packet
//! identifiers come round.

// The models that the core's own tests use as well.
#[path = "../../../core/tests/common/disk.rs"]
pub mod disk;
#[path = "../../../core/tests/common/network.rs"]
pub mod network;
#[path = "../../../core/tests/common/packet.rs"]
pub mod packet;
#[expect(
    clippy::new_without_default,
    reason = "in the core's tests it is no public type"
)]
#[path = "../../../core/tests/common/redis.rs"]
pub mod redis;

pub mod broker;
mod ending;
pub mod ends;
pub mod fleet;
mod json;
pub mod ledger;
pub mod life;
pub mod line;
pub mod mutants;
mod pipe;
pub mod plan;
pub mod property;
pub mod proxy;
pub mod run;
mod seen;
pub mod stage;
pub mod trace;
pub mod world;
