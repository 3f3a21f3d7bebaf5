//! The models that the core's own tests use for what stands at the other ends.

#[path = "../../tests/common/broker.rs"]
#[allow(dead_code, reason = "the core's tests use more of it")]
pub mod broker;
#[path = "../../tests/common/network.rs"]
#[allow(dead_code, reason = "the core's tests use more of it")]
pub mod network;
#[path = "../../tests/common/packet.rs"]
#[allow(dead_code, reason = "the core's tests use more of it")]
pub mod packet;
#[path = "../../tests/common/redis.rs"]
#[allow(dead_code, reason = "the core's tests use more of it")]
pub mod redis;
