//! The package on a whole emulated gateway: a big-endian MIPS kernel with 64 MB, between a real Redis and a real Mosquitto.
//!
//! | file | question |
//! |---|---|
//! | `service` | does the service start, reload, stop and come back as OpenWrt asks it to? |
//! | `package` | what does the package leave behind? |
//! | `resources` | how much memory and processor does the daemon take, as the kernel counts it? |
//! | `outside` | what if the link goes down, or the clock jumps? |
//! | `power` | is what waited on storage still there after a power cut? |

mod outside;
mod package;
mod power;
mod resources;
mod service;
