//! A number that differs from start to start: for packet identifiers and reconnect delays. It need not be secret.

use std::process;
use std::time::SystemTime;

use rustix::rand::{GetRandomFlags, getrandom};

/// Draws the number, and never waits: a gateway may not have gathered random bits so early after its start. Then it is made of the clock, the
/// process identifier and `machine`, which differs between machines.
pub fn seed(machine: u32) -> u32 {
    let mut bytes = [0; 4];
    match getrandom(&mut bytes, GetRandomFlags::NONBLOCK) {
        Ok(4) => u32::from_ne_bytes(bytes),
        _ => weak_seed(machine),
    }
}

fn weak_seed(machine: u32) -> u32 {
    let clock = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    // Odd factors spread what differs in few bits.
    (clock.as_secs() as u32)
        .wrapping_mul(0x9e37_79b1)
        .wrapping_add(clock.subsec_nanos())
        .wrapping_mul(0x85eb_ca77)
        .wrapping_add(process::id())
        .wrapping_mul(0xc2b2_ae3d)
        ^ machine
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_differ_with_and_without_the_systems_help() {
        assert_ne!(seed(1), seed(1));
        assert_ne!(weak_seed(1), weak_seed(2));
        assert_ne!(weak_seed(1), weak_seed(1), "the clock has gone on");
    }
}
