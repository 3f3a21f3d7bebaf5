//! The image for the board. For any other machine, a program that says how to get it.

#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware;

#[cfg(not(target_os = "none"))]
fn main() {
    println!(
        "This is a program for a board: `cargo board --real` builds it, and says how to flash it."
    );
}
