//! What must hold whatever comes: one module for each fuzz target, with its invariants in front.
//!
//! | target | what is made up |
//! |---|---|
//! | [`resp_stream`] | what a Redis server says |
//! | [`sample`] | a message |
//! | [`config`] | a mapping table |
//! | [`packets`] | packets of both directions |
//! | [`packets_v5`] | the same of MQTT 5 |
//! | [`outbox`] | what an outbox is asked to do |
//! | [`proxy_answer`] | what an HTTP proxy answers |
//! | [`spool`] | what lies on a spool's storage, and what is asked of its log |
//! | [`broker_stream`] | what a broker says to a session in any state |
//! | [`bridge`] | all that can happen to a whole bridge |
//!
//! A finding becomes a named test in the core; `tests/seeds.rs` runs the seeds without a fuzzer.

// The core's own model of storage, and its book beside a log.
#[path = "../../tests/common/disk.rs"]
#[allow(dead_code)]
mod disk;
#[path = "../../tests/spool/rig.rs"]
#[allow(dead_code)]
mod rig;

pub mod bridge;
pub mod broker_stream;
pub mod config;
mod model;
pub mod outbox;
pub mod packets;
pub mod packets_v5;
mod pieces;
pub mod proxy_answer;
pub mod resp_stream;
pub mod sample;
pub mod spool;
