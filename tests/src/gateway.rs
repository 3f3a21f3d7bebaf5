//! The OpenWrt gateways that the daemon is built for: their names in Rust's world and in OpenWrt's, and where `cargo mips` puts things.

use std::path::PathBuf;

use crate::install::Tool;
use crate::program;

/// A kind of gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gateway {
    /// Rust's name of the target.
    pub target: &'static str,
    /// What `opkg print-architecture` says there.
    pub architecture: &'static str,
    /// Runs its programs here.
    pub emulator: Tool,
    /// The order of bytes, as it stands in the sixth byte of an ELF file: 1 little, 2 big.
    pub elf_data: u8,
}

/// ath79, such as the AR9331 of the WCC Lite.
pub const BIG_ENDIAN: Gateway = Gateway {
    target: "mips-unknown-linux-musl",
    architecture: "mips_24kc",
    emulator: Tool {
        program: "qemu-mips-static",
        package: "qemu-user-static",
    },
    elf_data: 2,
};

/// ramips, such as the MT7688.
pub const LITTLE_ENDIAN: Gateway = Gateway {
    target: "mipsel-unknown-linux-musl",
    architecture: "mipsel_24kc",
    emulator: Tool {
        program: "qemu-mipsel-static",
        package: "qemu-user-static",
    },
    elf_data: 1,
};

/// Both.
pub const ALL: [Gateway; 2] = [BIG_ENDIAN, LITTLE_ENDIAN];

/// Where packages go; those without the optional features have a folder of their own.
#[must_use]
pub fn packages(lean: bool) -> PathBuf {
    let dist = program::workspace().join("target/dist");
    if lean { dist.join("lean") } else { dist }
}

impl Gateway {
    /// Where its binary goes.
    #[must_use]
    pub fn binary(&self, lean: bool) -> PathBuf {
        packages(lean).join(self.target).join("mqtt-client")
    }
}
