//! The deterministic simulator.
#[path = "../../../core/tests/common/network.rs"]
pub mod network;
#[path = "../../../core/tests/common/packet.rs"]
pub mod packet;
#[path = "../../../core/tests/common/redis.rs"]
pub mod redis;

pub mod broker;
mod ending;
pub mod ends;
pub mod ledger;
pub mod life;
pub mod line;
pub mod mutants;
mod pipe;
pub mod plan;
pub mod property;
pub mod run;
mod seen;
pub mod stage;
pub mod trace;
pub mod world;
