//! What if the window closes with the program? Windows gives a program that is double-clicked a console of its own, which would be gone before
//! anybody has read a word.

use std::io::{self, BufRead, Write};

/// Whether nobody else is at the console that this process writes to.
#[cfg(windows)]
pub fn is_ours() -> bool {
    use std::io::IsTerminal;
    use windows_sys::Win32::System::Console::GetConsoleProcessList;
    let mut processes = [0; 2];
    // SAFETY: there is room for as many numbers as is said.
    let count = unsafe { GetConsoleProcessList(processes.as_mut_ptr(), processes.len() as u32) };
    count == 1 && io::stdin().is_terminal()
}

/// Elsewhere a terminal stays.
#[cfg(not(windows))]
pub fn is_ours() -> bool {
    false
}

/// Waits for Enter before the window goes.
pub fn keep_open() {
    if is_ours() {
        let mut errors = io::stderr().lock();
        let _ = write!(errors, "\nPress Enter to close this window.");
        let _ = io::stdin().lock().read_line(&mut String::new());
    }
}
