//! What has a process used? Its accounts in `/proc`, all threads together.

use std::fs;
use std::io;
use std::path::Path;

/// In KiB; file pages that it shares with others count in full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    pub resident: u64,
    /// Of [`Memory::resident`], what is the process's alone, and no page of a program or a library.
    pub own: u64,
    pub peak: u64,
    /// Address space of heap and data, used or not.
    pub data: u64,
}

/// Time of process `id` on a processor so far, in nanoseconds, in the program and in the kernel on its behalf. Threads that
/// have ended do not count.
///
/// # Errors
///
/// There is no such process (any more).
pub fn cpu_ns(id: u32) -> io::Result<u64> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{id}/task"))? {
        // The scheduler's own account: exact, where `stat` counts ticks of 10 ms.
        match fs::read_to_string(task?.path().join("schedstat")) {
            Ok(text) => sum += first_number(&text, "schedstat")?,
            // The thread has ended since it was listed, or while it was read.
            Err(error) if error.kind() == io::ErrorKind::NotFound || is_no_process(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sum)
}

/// The memory of process `id`.
///
/// # Errors
///
/// There is no such process (any more).
pub fn memory(id: u32) -> io::Result<Memory> {
    let process = format!("/proc/{id}");
    let process = Path::new(&process);
    Ok(Memory {
        resident: status(process, "VmRSS:")?,
        own: status(process, "RssAnon:")?,
        peak: status(process, "VmHWM:")?,
        data: status(process, "VmData:")?,
    })
}

fn status(process: &Path, name: &str) -> io::Result<u64> {
    let text = fs::read_to_string(process.join("status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    first_number(line.unwrap_or_default(), name)
}

fn is_no_process(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error())
}

fn first_number(text: &str, name: &str) -> io::Result<u64> {
    let word = text.split_whitespace().next();
    word.and_then(|word| word.parse().ok())
        .ok_or_else(|| io::Error::other(format!("no number in {name}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Process;
    use crate::wait;

    #[test]
    fn work_and_memory_show() {
        // A process of its own: the threads of this one come and go.
        let busy = [String::from("-c"), String::from("while :; do :; done")];
        let busy = Process::start("a busy shell", Path::new("/bin/sh"), &busy);
        let before = cpu_ns(busy.id()).expect("it runs");
        wait::until("work to show", || {
            wait::holds(cpu_ns(busy.id()).expect("it runs") > before + 1_000_000)
        });
        let memory = memory(busy.id()).expect("it runs");
        assert!(
            (1..memory.resident).contains(&memory.own)
                && memory.peak >= memory.resident
                && memory.data > 0,
            "{memory:?}"
        );
    }
}
