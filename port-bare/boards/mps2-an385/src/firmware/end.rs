//! How does it end? By telling the debugger, which here is the emulator, an exit code. Without one the board stands still, which the watchdog, once
//! started, ends.

use core::panic::PanicInfo;

use cortex_m_rt::{ExceptionFrame, exception};
use mqtt_client_bare::NotStarted;

/// After a stop that was asked for, as the daemon after SIGTERM.
pub const STOPPED: i32 = 0;
/// The board does not do what it should.
pub const FAULT: i32 = 71;
/// The configuration is wrong: the daemon's exit code, `EX_CONFIG`.
const CONFIGURATION: i32 = 78;

/// Ends.
pub fn with(code: i32) -> ! {
    semihosting::process::exit(code)
}

/// Ends before anything has begun; what is wrong with a configuration has been logged.
pub fn without_start(reason: NotStarted) -> ! {
    defmt::error!("halted: {}", reason);
    with(match reason {
        NotStarted::Configuration => CONFIGURATION,
        NotStarted::NothingToDo => STOPPED,
        NotStarted::Mac | NotStarted::Sizes => FAULT,
    })
}

/// Never called: images are built with panics that abort at once (`image.toml`), by an instruction that is none.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    cortex_m::asm::udf()
}

/// A panic, or an address that is none, such as the one below the stack's end. What is at the logged address, `addr2line -i -e` tells.
#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    defmt::error!(
        "fault at {=u32:#x}, called from {=u32:#x}",
        frame.pc(),
        frame.lr()
    );
    with(FAULT)
}
