//! What does the image weigh, part by part, and is it within its limits?

use std::process::ExitCode;

use mps2_an385::SIZES;
use mqtt_client_tests::board::image::Image;
use mqtt_client_tests::board::parts::Sizes;

/// A small microcontroller's flash, in bytes.
const FLASH: u64 = 101 * 1024;
/// Its RAM: variables, buffers and the stack.
const RAM: u64 = 48 * 1024;

/// Prints the table.
///
/// # Errors
///
/// If the image's file cannot be read.
pub fn show() -> Result<ExitCode, String> {
    let image = Image::of_emulated_board();
    let file = std::fs::read(&image.path).map_err(|error| error.to_string())?;
    let sizes = Sizes::of(&file)?;
    println!(
        "For {} signals and {} brokers, of this image:\n{}\n",
        SIZES.signals,
        SIZES.devices,
        image.path.display()
    );
    heading("flash");
    let mut code: Vec<_> = sizes.code.iter().collect();
    code.sort_by_key(|(_, size)| std::cmp::Reverse(**size));
    for (part, size) in code {
        row(part, *size);
    }
    row("constants and texts", sizes.constants);
    row("addresses of exception handlers", sizes.vectors);
    row("variables' first values", sizes.initial);
    total(sizes.flash(), FLASH);
    println!();
    heading("RAM");
    for (variable, size) in &sizes.variables {
        if variable == "MEMORY" {
            memory(*size);
        } else {
            row(name_of(variable), *size);
        }
    }
    row("stack", sizes.stack);
    total(sizes.ram(), RAM);
    let fits = sizes.flash() <= FLASH && sizes.ram() <= RAM;
    Ok(ExitCode::from(u8::from(!fits)))
}

/// The library's memory, by what [`mqtt_client_bare::Sizes`] say.
fn memory(size: u64) {
    let rows = [
        ("outboxes", SIZES.devices * SIZES.outbox),
        (
            "TCP's buffers",
            SIZES.redis_receive
                + SIZES.redis_send
                + SIZES.devices * (SIZES.broker_receive + SIZES.broker_send),
        ),
        (
            "input and commands of the sessions",
            SIZES.redis_input
                + SIZES.redis_commands
                + SIZES.devices * (SIZES.broker_input + SIZES.broker_control),
        ),
        (
            "index of keys, rows and channels",
            SIZES.index() * size_of::<u32>(),
        ),
    ];
    let mut rest = size;
    for (name, bytes) in rows {
        let bytes = bytes as u64;
        rest -= bytes;
        row(name, bytes);
    }
    row("sessions, sockets, devices, signals, last values", rest);
}

fn name_of(variable: &str) -> &str {
    match variable {
        "FRAMES" => "one frame in, one frame out",
        other => other,
    }
}

fn heading(what: &str) {
    println!("| {what} | bytes |\n|---|---:|");
}

fn row(name: &str, size: u64) {
    println!("| {name} | {size} |");
}

fn total(size: u64, limit: u64) {
    let verdict = if size <= limit { "" } else { ": TOO MUCH" };
    println!("| **all**, of {limit} | **{size}**{verdict} |");
}
