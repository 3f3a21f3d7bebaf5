//! The daemon between a real Redis and real brokers, seen only from outside: one module per subject.
//!
//! Every test starts its own servers, so all of them can run at the same time, and each can be run alone:
//! `cargo test -p mqtt-client-tests --test e2e will::`.

mod buffering;
mod command_line;
mod configuration;
mod configuration_errors;
mod connection;
mod credentials;
mod examples;
mod idle;
mod link_faults;
mod messages;
mod online;
mod output;
mod proxy;
mod qos;
mod redis;
mod reload;
mod rights;
mod secrets;
mod sessions;
mod several_brokers;
mod shutdown;
mod status;
mod terminal;
mod versions;
mod will;
