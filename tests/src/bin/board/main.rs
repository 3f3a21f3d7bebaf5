//! `cargo board`: the firmware on an emulated board, live between real servers; what it weighs; how fast it is; the real
//! board's image.
//!
//! ```text
//! cargo board [--qos 0|1|2] [--seconds N] [--keep]
//! cargo board --sizes [--with-spool]
//! cargo board --speed
//! cargo board --real
//! ```
//!
//! The first ends after 20 seconds (or `--seconds`), or with Ctrl-C. The exit code is 0 if the board's counters agree with what was seen (with
//! `--sizes`: if the image is within its limits), 1 if not, 64 for a wrong argument.

mod sizes;
mod speed;

use std::process::ExitCode;

use mqtt_client_tests::board::image::{self, Image};
use mqtt_client_tests::board::{Board, QEMU};
use mqtt_client_tests::live::{self, arguments};
use mqtt_client_tests::{Config, install};

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let result = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--sizes"] => sizes::show(&sizes::SMALL),
        ["--sizes", "--with-spool"] => sizes::show(&sizes::WITH_SPOOL),
        ["--speed"] => speed::show(),
        ["--real"] => build_real(),
        _ => match arguments::parse(words) {
            Ok(arguments) => run(&arguments),
            Err(error) => {
                let options = arguments::USAGE;
                eprintln!(
                    "{error}\nusage: cargo board {options}\n       cargo board --sizes [--with-spool]\n       cargo board --speed"
                );
                return ExitCode::from(64);
            }
        },
    };
    result.unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::FAILURE
    })
}

/// The image for the real board, and how it gets there.
fn build_real() -> Result<ExitCode, String> {
    let image = Image::open(image::build(image::REAL)?)?;
    let (path, configuration) = (image.path.display(), image.configuration);
    println!(
        "{path}\n\n\
         probe-rs download --chip STM32H743ZITx --binary-format bin --base-address {configuration:#x} table.json\n\
         probe-rs run --chip STM32H743ZITx {path}"
    );
    Ok(ExitCode::SUCCESS)
}

/// The board, live, and its log below.
fn run(arguments: &arguments::Arguments) -> Result<ExitCode, String> {
    install::ensure(&live::TOOLS)?;
    install::ensure(&[QEMU])?;
    // Built, if need be, before anything is shown.
    let image = Image::of_emulated_board();
    println!("The image is {}", image.path.display());
    let mut log = None;
    let code = live::show(arguments, |config: &Config| {
        let board = Board::start(config);
        log = Some(board.log().clone());
        board
    });
    println!("\nThe board's own log:");
    for line in log.iter().flat_map(|lines| lines.all()) {
        println!("  {line}");
    }
    Ok(code)
}
