//! Can the core panic? This image links only if the optimiser has proved that it cannot.
//!
//! Its panic handler calls a function that exists nowhere, so that every panic that the optimiser cannot rule out is an error of the
//! linker, which names the functions that hold it. The image calls all that a port calls of the core's run path, and whatever comes
//! from outside (bytes, lengths, times, the network's answers, the sizes of storage) is something that the optimiser knows
//! nothing about: see [`outside`].
//!
//! That nothing was simply left out shows in a second image, compiled with `--cfg mined`: at [`outside::mine`]s all over the core's
//! callbacks it calls further functions that exist nowhere, and it indexes a slice unchecked. The linker has to complain
//! about each of them.
//!
//! `cargo verify no-panic` builds both, and checks.

#![cfg_attr(target_os = "none", no_std, no_main)]

mod bridge;
mod configuration;
mod flash;
mod outside;
mod sink;
mod spool;

/// Where the image begins.
#[cfg(target_os = "none")]
#[unsafe(no_mangle)]
extern "C" fn _start() {
    configuration::with_parsed(bridge::run);
    configuration::with_parsed(flash::run);
    spool::run();
}

#[cfg(target_os = "none")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    unsafe extern "C" {
        safe fn the_core_can_panic() -> !;
    }
    the_core_can_panic()
}

/// On a computer it is compiled for clippy's sake, and shows that it can run.
#[cfg(not(target_os = "none"))]
fn main() {
    configuration::with_parsed(bridge::run);
    configuration::with_parsed(flash::run);
    spool::run();
    println!("`cargo verify no-panic` links this for a target without an operating system");
}
