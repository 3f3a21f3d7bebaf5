//! What does the image weigh, part by part, and is it within its limits?

use std::process::ExitCode;

use mps2_an385::{SIZES, SIZES_WITH_SPOOL};
use mqtt_client_bare::Sizes as Room;
use mqtt_client_tests::board::image::Image;
use mqtt_client_tests::board::parts::Sizes;

/// An image, what it has room for, and its limits.
pub struct Weighed {
    image: fn() -> &'static Image,
    room: Room,
    flash: u64,
    /// Variables, buffers and the stack.
    ram: u64,
}

/// The image as it is by default, in a small microcontroller.
pub const SMALL: Weighed = Weighed {
    image: Image::of_emulated_board,
    room: SIZES,
    flash: 101 * 1024,
    ram: 48 * 1024,
};

/// With a spool.
pub const WITH_SPOOL: Weighed = Weighed {
    image: Image::of_emulated_board_with_spool,
    room: SIZES_WITH_SPOOL,
    flash: 144 * 1024,
    ram: 80 * 1024,
};

/// Bytes of a log's blocks: two that are written, one that is read, and whose names stand in them.
const SPOOL: usize = 3 * 4096 + 2 * 4 * 256;

/// Prints the table.
///
/// # Errors
///
/// If the image's file cannot be read.
pub fn show(weighed: &Weighed) -> Result<ExitCode, String> {
    let image = (weighed.image)();
    let room = &weighed.room;
    let file = std::fs::read(&image.path).map_err(|error| error.to_string())?;
    let sizes = Sizes::of(&file)?;
    println!(
        "For {} signals and {} brokers, of this image:\n{}\n",
        room.signals,
        room.devices,
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
    total(sizes.flash(), weighed.flash);
    println!();
    heading("RAM");
    for (variable, size) in &sizes.variables {
        if variable == "MEMORY" {
            memory(room, *size);
        } else {
            row(name_of(variable), *size);
        }
    }
    row("stack", sizes.stack);
    total(sizes.ram(), weighed.ram);
    let fits = sizes.flash() <= weighed.flash && sizes.ram() <= weighed.ram;
    Ok(ExitCode::from(u8::from(!fits)))
}

/// The library's memory, by what [`mqtt_client_bare::Sizes`] say.
fn memory(room: &Room, size: u64) {
    let rows = [
        ("outboxes", room.devices * room.outbox),
        (
            "TCP's buffers",
            room.redis_receive
                + room.redis_send
                + room.devices * (room.broker_receive + room.broker_send),
        ),
        (
            "input and commands of the sessions",
            room.redis_input
                + room.redis_commands
                + room.devices * (room.broker_input + room.broker_control),
        ),
        (
            "index of keys, rows and channels",
            room.index() * size_of::<u32>(),
        ),
        ("blocks and names of a spool's log", room.spools * SPOOL),
    ];
    let mut rest = size;
    for (name, bytes) in rows.into_iter().filter(|(_, bytes)| *bytes > 0) {
        let bytes = bytes as u64;
        rest -= bytes;
        row(name, bytes);
    }
    row("sessions, sockets, devices, signals, last values", rest);
}

fn name_of(variable: &str) -> &str {
    match variable {
        "FRAMES" => "one frame in, one frame out",
        "FLASH" => "whose each sector of the flash is",
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
