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
//! | [`broker_stream`] | what a broker says to a session in any state |
//! | [`bridge`] | all that can happen to a whole bridge |
//!
//! A finding becomes a named test in the core; `tests/seeds.rs` runs the seeds without a fuzzer.

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
